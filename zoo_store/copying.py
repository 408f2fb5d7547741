"""Entries on their way from one zoo to another: what arrives is byte for byte what was checked when it left."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

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
        present: ids of those that it held already; they were left as they are.
        num_bytes: of the entries that were added.
        aliases: that now point at a copied entry in the target too, with the ids.
        kept_aliases: that point at another entry in the target, which was left as it is, with that one's id.
    """

    added: tuple[str, ...]
    present: tuple[str, ...]
    num_bytes: int
    aliases: Mapping[str, str]
    kept_aliases: Mapping[str, str]


def copy_entries(
    source: Place, target: Place, entry_ids: Sequence[str], progress: Progress | None = None
) -> tuple[list[str], list[str], int]:
    """Copy entries, a few at a time at most, so that a stopped copy goes on where it was when it is repeated.

    Args:
        source: where they are.
        target: where they go.
        entry_ids: full ids.
        progress: is told how many of how many are there.

    Returns:
        Ids of the entries that were added, of those that were there, and the bytes that were added.
    """
    added: list[str] = []
    there = set(target.groups(is_full_id))
    present = [entry_id for entry_id in entry_ids if entry_id in there]
    num_bytes, done = 0, len(present)
    if progress is not None:
        progress(done, len(entry_ids))
    lacking = [entry_id for entry_id in entry_ids if entry_id not in there]
    for files in _batches(source, lacking, _TOGETHER if isinstance(target, PublishesTogether) else 1):
        new = _publish(target, files)
        added += new
        present += [entry_id for entry_id in files if entry_id not in new]  # another writer was quicker
        num_bytes += sum(len(data) for entry_id in new for data in files[entry_id].values())
        done += len(files)
        if progress is not None:
            progress(done, len(entry_ids))
    return added, present, num_bytes


def _batches(source: Place, entry_ids: Sequence[str], size: int) -> Iterator[dict[str, dict[str, bytes]]]:
    for start in range(0, len(entry_ids), size):
        yield {entry_id: StoredEntry(source, entry_id).files() for entry_id in entry_ids[start : start + size]}


def _publish(target: Place, groups: Mapping[str, Mapping[str, bytes]]) -> list[str]:
    if isinstance(target, PublishesTogether):
        return target.publish_all(groups)
    return [group for group, files in groups.items() if target.publish(group, files)]


def split_aliases(wanted: Mapping[str, str], existing: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Aliases that a target lacks, and those of the same names that point elsewhere there, with what they point at."""
    lacking = {alias: entry_id for alias, entry_id in wanted.items() if alias not in existing}
    differing = {alias: existing[alias] for alias in wanted if existing.get(alias, wanted[alias]) != wanted[alias]}
    return lacking, differing
