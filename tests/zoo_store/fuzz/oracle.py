"""What must hold of an altered entry, whatever was altered."""

import tracemalloc
from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory
from typing import Any

import torch

from tests.zoo_store.dict_place import DictPlace
from tests.zoo_store.fuzz.mutations import ALL, Mutation
from zoo_store import CorruptEntryError, EntryNotFoundError, Zoo, ZooEntry, ZooError, content_id
from zoo_store.format.card import lasting_part
from zoo_store.format.stored_entry import StoredEntry
from zoo_store.format.tensors import DTYPE_NAMES

MEMORY_FACTOR, MEMORY_ALLOWANCE = 10, 512 * 1024


class ViolationError(Exception):
    """An altered entry did what it must not do."""


def tiny_entries() -> dict[str, dict[str, bytes]]:
    """The files of two entries, by id: every dtype, no values, no dimensions, nested and volatile keys."""
    with TemporaryDirectory() as folder:
        zoo = Zoo(folder)
        ids = [zoo.add(_tiny_entry(number)) for number in (1, 2)]
        return {entry_id: {name: (zoo.path / entry_id / name).read_bytes() for name in ALL} for entry_id in ids}


def _tiny_entry(number: int) -> ZooEntry:
    values = torch.arange(4) + number
    state = {name: values.to(dtype).reshape(2, 2) for dtype, name in DTYPE_NAMES.items()}
    state |= {"count": torch.tensor(number), "nothing": torch.zeros(0, 3)}
    sketch = {"features": values.to(torch.float32).reshape(2, 2), "labels": values % 2}
    card = {"name": f"tiny {number}", "channels": 8, "classes": ["a", "b\u00e9"], "num_classes": 2}
    more = {"metrics": {"accuracy": 0.5}, "recipe": {"steps": [1, 2.5, None]}, "created": "2026-01-31T12:00:00+00:00"}
    return ZooEntry(state=state, sketch=sketch, card={**card, **more})


class Oracle:
    """Judges altered entries against the one that was added.

    Args:
        entries: the files of the original and of another entry, by id.
    """

    def __init__(self, entries: Mapping[str, Mapping[str, bytes]]) -> None:
        self.entries = entries
        self.original_id = next(iter(entries))
        self.original_files = entries[self.original_id]
        self.original = StoredEntry(DictPlace(entries), self.original_id).load()

    def judge(self, mutation: Mutation, *, measure_memory: bool = False) -> str:
        """What became of an altered entry: one of four words.

        They are "refused"; "unchanged", where other bytes say the same; "untouched", where the bytes are the same; and
        "another", where a forged entry is good, under an id of its own.

        Raises:
            ViolationError: it did what it must not do.
        """
        place = DictPlace({mutation.group: mutation.files})
        stored = StoredEntry(place, mutation.group)
        entry = self._read(mutation, stored.load, measure_memory=measure_memory)
        card = self._read(mutation, stored.card)
        sketch = self._read(mutation, stored.sketch)
        problems = stored.problems()
        if (entry is None) != bool(problems):
            raise ViolationError(f"get gave {entry}, and verify {problems}")
        if any(mutation.group not in str(problem) for problem in problems):
            raise ViolationError(f"a problem names no entry: {problems}")
        if not place.names_read <= {(mutation.group, name) for name in ALL}:
            raise ViolationError(f"files beside the five were read: {place.names_read}")
        if mutation.group != self.original_id:
            return "refused" if entry is None else self._another(mutation, entry)
        kept = mutation.manifest == "kept"
        if card is not None:
            self._check_card(card, whole=kept)
        if sketch is not None:
            self._check_tensors(sketch, self.original.sketch)
        if entry is None:
            return "refused"
        self._check_card(entry.card, whole=kept)
        self._check_tensors(entry.state, self.original.state)
        self._check_tensors(entry.sketch, self.original.sketch)
        if kept and any(mutation.files[name] != self.original_files[name] for name in ALL if name != "manifest.json"):
            raise ViolationError("a byte under a hash was altered and accepted")
        return "untouched" if dict(mutation.files) == dict(self.original_files) else "unchanged"

    def _read(self, mutation: Mutation, read: Callable[[], Any], *, measure_memory: bool = False) -> Any:
        if measure_memory:
            tracemalloc.start()
        try:
            return read()
        except EntryNotFoundError as error:
            raise ViolationError(f"an entry that is there was not found: {error}") from error
        except ZooError as error:
            if mutation.group not in str(error):
                raise ViolationError(f"a refusal names no entry: {error}") from error
            if isinstance(error, CorruptEntryError) and "verify --fix" not in str(error):
                raise ViolationError(f"a refusal without remedy: {error}") from error
            return None
        except Exception as error:
            raise ViolationError(f"{type(error).__name__}: {error}") from error
        finally:
            if measure_memory:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
                size = sum(map(len, mutation.files.values()))
                if peak > MEMORY_FACTOR * size + MEMORY_ALLOWANCE:
                    raise ViolationError(f"{peak} bytes of memory for files of {size}")

    def _another(self, mutation: Mutation, entry: ZooEntry) -> str:
        """An entry that agrees with an id of its own is good only if `add` would have given it this one."""
        if content_id(entry) != mutation.group:
            raise ViolationError(f"{mutation.group} was accepted, but its content is {content_id(entry)}")
        return "another"

    def _check_card(self, card: Mapping[str, Any], *, whole: bool) -> None:
        expected = self.original.card
        if whole:
            same = repr(dict(card)) == repr(dict(expected))
        else:
            same = canonical_text(lasting_part(dict(card))) == canonical_text(lasting_part(dict(expected)))
        if not same:
            raise ViolationError(f"another card under the same id: {card}")

    @staticmethod
    def _check_tensors(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
        if set(found) != set(expected) or any(
            found[name].dtype != tensor.dtype
            or found[name].shape != tensor.shape
            or bytes(found[name].reshape(-1).view(torch.uint8).tolist())
            != bytes(tensor.reshape(-1).view(torch.uint8).tolist())
            for name, tensor in expected.items()
        ):
            raise ViolationError("other tensors under the same id")


def canonical_text(value: Any) -> str:
    """A text that tells 1 from 1.0 and from True, whatever the order of keys."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key!r}:{canonical_text(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical_text, value)) + "]"
    return repr(value)
