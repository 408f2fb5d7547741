"""The page that people see of a zoo's repository on the Hugging Face Hub, made from the cards of its entries."""

import re
from collections.abc import Callable, Sequence

from zoo_store.errors import CardError, SchemaVersionError
from zoo_store.format.card import Card, checked_card
from zoo_store.format.identity import is_full_id
from zoo_store.format.manifest import CARD_FILE
from zoo_store.format.plain_json import parse
from zoo_store.format.readme import template
from zoo_store.places.files import UnfitFileError

_BEGIN = "<!-- supernet-tl: what stands between here and the end mark is replaced when entries come or go -->"
_END = "<!-- supernet-tl: end -->"
_ROW = re.compile(r"^\| \[.*\]\(([0-9a-f]{64})/README\.md\) \|.*\|$", re.MULTILINE)
_SHOWN = 500


def hub_page(address: str, old: bytes | None, names: Sequence[str], read: Callable[[str, str], bytes]) -> bytes | None:
    """The ``README.md`` of a repository.

    What people wrote around the table of entries stays, and so does a page without its marks.

    Args:
        address: of the zoo, for the commands on the page.
        old: the page as it is; None where there is none.
        names: what the repository holds; those that are no ids are left out.
        read: gives the bytes of a file of an entry.

    Returns:
        None when the page is somebody's own.
    """
    before, after = "", ""
    rows: dict[str, str] = {}
    if old is not None:
        try:
            text = old.decode("utf-8")
        except UnicodeDecodeError:
            return None
        before, begin, rest = text.partition(_BEGIN)
        table, end, after = rest.partition(_END)
        if not begin or not end:
            return None
        rows = {match[1]: match[0] for match in _ROW.finditer(table)}
    ids = list(filter(is_full_id, names))
    made = template("hub_page.md.jinja").render(
        name=address.rpartition("/")[2].partition("@")[0],
        address=address,
        begin=_BEGIN,
        end=_END,
        ids=ids,
        rows={entry_id: rows.get(entry_id) or _row(entry_id, read) for entry_id in ids[:_SHOWN]},
        shown=_SHOWN,
    )
    if old is not None:
        made = before + made[made.index(_BEGIN) : made.index(_END) + len(_END)] + after
    return made.encode("utf-8")


def _row(entry_id: str, read: Callable[[str, str], bytes]) -> str:
    card = _card(entry_id, read)
    data = card.get("data") or []
    items = [data] if isinstance(data, dict) else data
    return template("hub_row.md.jinja").render(id=entry_id, card=card, data=items).strip()


def _card(entry_id: str, read: Callable[[str, str], bytes]) -> Card:
    """The card of an entry; an empty one where it is damaged, since a page must not stand in the way of the others."""
    try:
        return checked_card(parse(read(entry_id, CARD_FILE)))
    except (ValueError, CardError, SchemaVersionError, UnfitFileError, FileNotFoundError):
        return {}
