"""What an entry *is*: three digests of its content, and the id that is the digest of those.

The id covers values, not files: another version of the container format, another order of the card's keys or another
day of creation give the same id. Because the id is built from one digest a part, a reader who loads only the sketch can
still hold it against the id.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from zoo_store.format.card import Card, lasting_part
from zoo_store.format.plain_json import canonical

if TYPE_CHECKING:
    from torch import Tensor

_FULL_ID = re.compile(r"[0-9a-f]{64}")


def is_full_id(text: str) -> bool:
    """Whether a text has the form of an entry's id."""
    return _FULL_ID.fullmatch(text) is not None


@dataclass(frozen=True)
class Content:
    """The digests of an entry's three parts, each SHA-256 in hex.

    Args:
        card: of the canonical JSON of the card's lasting part.
        sketch: of the sketch's tensors.
        state: of the supernet's tensors.
    """

    card: str
    sketch: str
    state: str

    @property
    def entry_id(self) -> str:
        """The entry's id: SHA-256, in hex (64 characters), of the canonical JSON of the three digests."""
        return hashlib.sha256(b"zoo entry 1\n" + canonical(asdict(self))).hexdigest()


def content_of(state: Mapping[str, "Tensor"], sketch: Mapping[str, "Tensor"], card: Card) -> Content:
    """The digests of an entry's parts; tensors as `zoo_store.format.tensors.snapshot` gives them."""
    from zoo_store.format.tensors import tensors_digest  # brings torch, which who reads cards can do without

    return Content(card=card_digest(card), sketch=tensors_digest(sketch), state=tensors_digest(state))


def card_digest(card: Card) -> str:
    """SHA-256, in hex, of the canonical JSON of the card's lasting part."""
    return hashlib.sha256(b"zoo card 1\n" + canonical(lasting_part(card))).hexdigest()
