"""Entries on their way from one zoo to another: what arrives is byte for byte what was checked when it left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from zoo_store.errors import CorruptEntryError, SchemaVersionError
from zoo_store.format.identity import is_full_id
from zoo_store.format.stored_entry import StoredEntry
from zoo_store.places.place import Place, PublishesTogether

Progress = Callable[[int, int], None]

_TOGETHER = 20  # entries of one commit: so many are read again when it fails


@dataclass(frozen=True)
class Copies:
    """What a copy did.

    Attributes:
        added: ids of the entries that the target did not hold.
        present: ids of those that it held already, whole.
        damaged: ids of those that it held already, and that do not verify there; they were left as they are.
        left_behind: what is wrong with entries of the source that do not verify, by id; nothing of them was passed on.
        num_bytes: of the entries that were added.
        aliases: that now point at a copied entry in the target too, with the ids.
        kept_aliases: that point at another entry in the target, which was left as it is, with that one's id.
    """

    added: tuple[str, ...]
    present: tuple[str, ...]
    damaged: tuple[str, ...]
    left_behind: Mapping[str, str]
    num_bytes: int
    aliases: Mapping[str, str] = field(default_factory=dict)
    kept_aliases: Mapping[str, str] = field(default_factory=dict)


def copy_entries(source: Place, target: Place, entry_ids: Sequence[str], progress: Progress | None = None) -> Copies:
    """Copy entries, a few at a time at most, so that a stopped copy goes on where it was when it is repeated.

    Args:
        source: where they are.
        target: where they go.
        entry_ids: full ids.
        progress: is told how many of how many are done with.
    """
    there = set(target.groups(is_full_id))
    held = [entry_id for entry_id in entry_ids if entry_id in there]
    lacking = [entry_id for entry_id in entry_ids if entry_id not in there]
    added: list[str] = []
    left_behind: dict[str, str] = {}
    num_bytes = 0
    size = _TOGETHER if isinstance(target, PublishesTogether) else 1
    for start in range(0, len(lacking), size):
        if progress is not None:
            progress(start, len(entry_ids))
        batch = lacking[start : start + size]
        files = {entry_id: found for entry_id in batch if (found := _read(source, entry_id, left_behind)) is not None}
        new = _publish(target, files)
        added += new
        num_bytes += sum(len(data) for entry_id in new for data in files[entry_id].values())
        held += [entry_id for entry_id in files if entry_id not in new]  # another writer was quicker
    damaged = []
    for number, entry_id in enumerate(held):
        if progress is not None:
            progress(len(entry_ids) - len(held) + number, len(entry_ids))
        if any(problem.damaged for problem in StoredEntry(target, entry_id).problems()):
            damaged.append(entry_id)
    if progress is not None:
        progress(len(entry_ids), len(entry_ids))
    present = [entry_id for entry_id in held if entry_id not in damaged]
    return Copies(tuple(added), tuple(present), tuple(damaged), left_behind, num_bytes)


def _read(source: Place, entry_id: str, left_behind: dict[str, str]) -> dict[str, bytes] | None:
    try:
        return StoredEntry(source, entry_id).files()
    except (CorruptEntryError, SchemaVersionError) as error:
        left_behind[entry_id] = str(error)
        return None


def _publish(target: Place, groups: Mapping[str, Mapping[str, bytes]]) -> list[str]:
    if not groups:
        return []
    if isinstance(target, PublishesTogether):
        return target.publish_all(groups)
    return [group for group, files in groups.items() if target.publish(group, files)]
