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
        present: ids of those that it held already, whole.
        damaged: ids of those that it held already, and that do not verify there; they were left as they are.
        num_bytes: of the entries that were added.
        aliases: that now point at a copied entry in the target too, with the ids.
        kept_aliases: that point at another entry in the target, which was left as it is, with that one's id.
    """

    added: tuple[str, ...]
    present: tuple[str, ...]
    damaged: tuple[str, ...]
    num_bytes: int
    aliases: Mapping[str, str]
    kept_aliases: Mapping[str, str]


def copy_entries(
    source: Place, target: Place, entry_ids: Sequence[str], progress: Progress | None = None
) -> tuple[list[str], list[str], list[str], int]:
    """Copy entries, a few at a time at most, so that a stopped copy goes on where it was when it is repeated.

    Args:
        source: where they are.
        target: where they go.
        entry_ids: full ids.
        progress: is told how many of how many are there.

    Returns:
        Ids of the entries that were added, of those that were there whole, and of those that were there damaged; and
        the bytes that were added.
    """
    added: list[str] = []
    present: list[str] = []
    damaged: list[str] = []
    num_bytes, done = 0, 0

    def find_there(entry_id: str) -> None:
        found = StoredEntry(target, entry_id).problems()
        (damaged if any(problem.damaged for problem in found) else present).append(entry_id)

    def tell() -> None:
        if progress is not None:
            progress(done, len(entry_ids))

    tell()
    there = set(target.groups(is_full_id))
    for entry_id in filter(there.__contains__, entry_ids):
        find_there(entry_id)
        done += 1
        tell()
    lacking = [entry_id for entry_id in entry_ids if entry_id not in there]
    for files in _batches(source, lacking, _TOGETHER if isinstance(target, PublishesTogether) else 1):
        new = _publish(target, files)
        added += new
        for entry_id in [entry_id for entry_id in files if entry_id not in new]:  # another writer was quicker
            find_there(entry_id)
        num_bytes += sum(len(data) for entry_id in new for data in files[entry_id].values())
        done += len(files)
        tell()
    return added, present, damaged, num_bytes


def _batches(source: Place, entry_ids: Sequence[str], size: int) -> Iterator[dict[str, dict[str, bytes]]]:
    for start in range(0, len(entry_ids), size):
        yield {entry_id: StoredEntry(source, entry_id).files() for entry_id in entry_ids[start : start + size]}


def _publish(target: Place, groups: Mapping[str, Mapping[str, bytes]]) -> list[str]:
    if isinstance(target, PublishesTogether):
        return target.publish_all(groups)
    return [group for group, files in groups.items() if target.publish(group, files)]
