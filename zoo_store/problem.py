"""What may be wrong with a stored entry, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one file of one entry.

    Args:
        entry_id: the entry's full id, which is also the name of its folder.
        file: the file's name inside that folder, or "." for the folder itself.
        reason: what was found and what was expected.
    """

    entry_id: str
    file: str
    reason: str

    def __str__(self) -> str:
        where = "the folder" if self.file == "." else self.file
        return f"zoo entry {self.entry_id}: {where} {self.reason}"
