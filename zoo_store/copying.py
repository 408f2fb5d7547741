"""Entries on their way from one zoo to another: what arrives is byte for byte what was checked when it left."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from zoo_store.format.stored_entry import StoredEntry
from zoo_store.places.place import Place

Progress = Callable[[int, int], None]


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
    """Copy entries, one after the other, so that a stopped copy goes on where it was when it is repeated.

    Args:
        source: where they are.
        target: where they go.
        entry_ids: full ids.
        progress: is told how many of how many are there.

    Returns:
        Ids of the entries that were added, of those that were there, and the bytes that were added.
    """
    added: list[str] = []
    present: list[str] = []
    num_bytes = 0
    if progress is not None:
        progress(0, len(entry_ids))
    for done, entry_id in enumerate(entry_ids, start=1):
        if target.holds(entry_id):
            present.append(entry_id)
        else:
            files = StoredEntry(source, entry_id).files()
            if target.publish(entry_id, files):
                added.append(entry_id)
                num_bytes += sum(map(len, files.values()))
            else:  # another writer was quicker
                present.append(entry_id)
        if progress is not None:
            progress(done, len(entry_ids))
    return added, present, num_bytes


def split_aliases(wanted: Mapping[str, str], existing: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Aliases that a target lacks, and those of the same names that point elsewhere there, with what they point at."""
    lacking = {alias: entry_id for alias, entry_id in wanted.items() if alias not in existing}
    differing = {alias: existing[alias] for alias in wanted if existing.get(alias, wanted[alias]) != wanted[alias]}
    return lacking, differing
