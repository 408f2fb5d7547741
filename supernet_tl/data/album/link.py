"""How others are asked: which server, with how much patience."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from supernet_tl.data.errors import DownloadError

SERVER_SWITCH = "SUPERNET_TL_OPENML_SERVER"
_LONGEST_WAIT = 60.0

T = TypeVar("T")
Notify = Callable[[str], None]


@dataclass(frozen=True)
class Link:
    """How others are asked.

    Args:
        server: OpenML's address, such as ``https://www.openml.org/api/v1/xml``; None stands for that of
            ``$SUPERNET_TL_OPENML_SERVER``, or else for what the openml package is configured to ask.
        timeout: seconds of silence after which a server is taken to hang; in each of them at least ``min_speed`` bytes
            should come, or it is taken to hang as well.
        attempts: how often in a row something is tried without getting any further.
        first_wait: seconds before the second attempt; they double from one to the next, up to a minute.
        min_speed: bytes a second.
    """

    server: str | None = None
    timeout: float = 30.0
    attempts: int = 5
    first_wait: float = 1.0
    min_speed: float = 1000.0

    @property
    def openml_server(self) -> str | None:
        """The server to ask; None where the openml package decides."""
        return self.server or os.environ.get(SERVER_SWITCH) or None


class PassingError(Exception):
    """What went wrong may go right at the next attempt.

    Args:
        reason: continues "the server ...".
        got_further: whether this attempt brought something that need not be asked for again.
    """

    def __init__(self, reason: str, *, got_further: bool = False) -> None:
        super().__init__(reason)
        self.got_further = got_further


def persistently(link: Link, what: str, attempt: Callable[[], T], notify: Notify) -> T:
    """Try until it works, or has failed too often in a row.

    Args:
        link: how often, with which waits.
        what: names the work, as in "downloading x.zip".
        attempt: raises PassingError where another attempt may help; all else it raises passes through.
        notify: is told of each failure.

    Raises:
        DownloadError: it has failed too often.
    """
    failures = 0
    while True:
        try:
            return attempt()
        except PassingError as error:
            failures = 1 if error.got_further else failures + 1
            if failures >= link.attempts:
                raise DownloadError(
                    f"{what} failed {failures} time(s) in a row, at last because {error}; expected an answer. "
                    f"Check the network and repeat the command: a download goes on where it stopped."
                ) from error
            wait = min(link.first_wait * 2 ** (failures - 1), _LONGEST_WAIT)
            notify(f"{what}: {error}; attempt {failures + 1} of {link.attempts} in {wait:g} s")
            time.sleep(wait)
