"""An entry of the zoo as a value in memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo_store.errors import TensorError
from zoo_store.format.card import checked_card
from zoo_store.format.identity import content_of

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class ZooEntry:
    """One pretrained supernet with its provenance and the sketch of the data that it comes from.

    The mappings are copied when the entry is built, the tensors are not; the card is checked and copied deeply.

    Args:
        state: the supernet's tensors by name, alphas among them.
        sketch: the tensors of the source dataset's sketch by name; may be empty.
        card: plain JSON; ``zoo_store.format.card`` says which keys have a fixed meaning.

    Raises:
        CardError: the card is not plain JSON or a known key has the wrong type.
        SchemaVersionError: the card is of a version that is not read.
        TensorError: ``state`` is empty, or something in it or in ``sketch`` is not a named tensor.
    """

    state: Mapping[str, "Tensor"]
    sketch: Mapping[str, "Tensor"]
    card: Mapping[str, Any]

    def __post_init__(self) -> None:
        from zoo_store.format.tensors import named_tensors

        state = named_tensors(self.state, "state")
        if not state:
            raise TensorError("state is empty; expected the tensors of a supernet, as its state_dict() gives them.")
        object.__setattr__(self, "state", state)
        object.__setattr__(self, "sketch", named_tensors(self.sketch, "sketch"))
        object.__setattr__(self, "card", checked_card(self.card))


def content_id(entry: ZooEntry) -> str:
    """The id that a zoo gives to an entry: SHA-256, 64 hex characters, of its tensors and its card's lasting part.

    Raises:
        TensorError: a tensor cannot be kept, so that the entry could not be added.
        CardError: likewise the card.
    """
    from zoo_store.format.tensors import snapshot

    state, sketch = snapshot(entry.state, "state"), snapshot(entry.sketch, "sketch")
    return content_of(state, sketch, checked_card(entry.card)).entry_id
