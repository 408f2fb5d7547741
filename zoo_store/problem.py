"""What may be wrong with a stored zoo, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one file of a zoo.

    Args:
        entry_id: the full id of the entry, which is also the name of its folder; None for the file of an alias.
        file: the file's name inside that folder, or "." for the folder itself; of an alias, such as
            "aliases/plk-s1-c16.json".
        reason: what was found and what was expected.
        damaged: False where the file may well be good: it may not be read here, or is of a newer supernet-tl.
    """

    entry_id: str | None
    file: str
    reason: str
    damaged: bool = True

    def __str__(self) -> str:
        file = self.file if self.file.isprintable() else ascii(self.file)
        if self.entry_id is None:
            return f"zoo file {file} {self.reason}"
        where = "the folder" if file == "." else file
        return f"zoo entry {self.entry_id}: {where} {self.reason}"
