"""Everything that this package refuses, as one small tree under `ZooError`."""

import shlex

from zoo_store.problem import Problem


class ZooError(Exception):
    """Any refusal of the zoo."""


class CardError(ZooError, ValueError):
    """A card is not plain JSON, or one of its known keys has the wrong type; all faults are listed."""


class TensorError(ZooError, ValueError):
    """A tensor cannot be kept: its name, dtype, layout or values."""


class SchemaVersionError(ZooError, ValueError):
    """A card or manifest is of a version that this package does not read."""


class NewerVersionError(SchemaVersionError):
    """A card, manifest or alias was written by a newer supernet-tl, and may well be good."""


class ZooPathError(ZooError, ValueError):
    """The path of a zoo is not one that can hold a zoo."""


class ZooNotFoundError(ZooError, FileNotFoundError):
    """There is no folder at the zoo's path."""


class InvalidIdError(ZooError, ValueError):
    """What was given is neither an entry's id nor a long enough prefix of one."""


class AliasError(ZooError, ValueError):
    """Something cannot be an alias, or an alias keeps an entry from being removed, or its file is damaged."""


class EntryNotFoundError(ZooError, KeyError):
    """The zoo holds no such entry."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would print the sentence in quotes


class AmbiguousIdError(ZooError, KeyError):
    """A prefix fits several entries."""

    def __str__(self) -> str:
        return Exception.__str__(self)


class CorruptEntryError(ZooError, ValueError):
    """A stored entry is not what was added.

    Args:
        problem: which entry and file, and what is wrong.
        address: of its zoo; None for a folder of its own.
    """

    def __init__(self, problem: Problem, address: str | None = "ZOO") -> None:
        super().__init__(problem, address)
        self.problem = problem
        self.address = address

    def __str__(self) -> str:
        if self.address is None:
            return f"{self.problem}. Nothing was loaded. Bring the folder back from a good copy, or export it again."
        return (
            f"{self.problem}. Nothing was loaded. Bring the entry's folder back from a good copy; or move it out of "
            f"the way with `supernet-tl zoo verify --fix {shlex.quote(self.address)}`, which deletes nothing, and add "
            "the entry again."
        )


class FilterError(ZooError, ValueError):
    """Entries cannot be looked for like that; all faults are listed."""


class ZooReadError(ZooError, OSError):
    """The operating system refused a read; the entry itself may well be good."""

    def __str__(self) -> str:
        return str(self.strerror)


class ZooBusyError(ZooError, TimeoutError):
    """Another writer held the zoo's lock for too long."""


class ZooWriteError(ZooError, OSError):
    """The operating system refused a write; the zoo is as valid as before."""

    def __str__(self) -> str:
        return str(self.strerror)
