"""What a library says may hold secrets; a message may not."""

import re
from collections.abc import Iterable, Iterator, Mapping

HIDDEN = "***"
_SHORTEST_SECRET = 5  # what is shorter is a common part of words
_IN_TEXT = (
    (re.compile(r"(?<=://)[^\s/?#\"'<>]*@"), f"{HIDDEN}@"),
    (re.compile(r"(://[^\s?\"'<>]*\?)[^\s\"'<>]+"), rf"\1{HIDDEN}"),
    (re.compile(r"\b(Bearer |Basic |hf_)[\w+/=.~-]+"), rf"\1{HIDDEN}"),
)


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A text without users and queries of URLs, without tokens, and without these secrets."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, HIDDEN)
    for pattern, shown in _IN_TEXT:
        text = pattern.sub(shown, text)
    return text


def secrets_in(options: object) -> Iterator[str]:
    """Every text in nested options that may be a secret; of URLs, `redacted` hides what is one."""
    if isinstance(options, Mapping):
        for value in options.values():
            yield from secrets_in(value)
    elif isinstance(options, list | tuple):
        for value in options:
            yield from secrets_in(value)
    elif isinstance(options, str) and len(options) >= _SHORTEST_SECRET and "://" not in options:
        yield options
