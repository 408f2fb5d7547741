"""What a zoo asks of the place where its entries lie."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable


class Place(Protocol):
    """Named groups of immutable files that appear and vanish whole, and small notes that may change.

    A place knows nothing of what is in the files. Names of groups and files come from the zoo, which has checked them:
    a name that would lead out of the place is never given. Any number of processes may use one place at once.

    What the underlying system refuses is raised as `ZooReadError` (reads) and `ZooWriteError` (writes), each with a
    sentence that tells what to do; what simply is not there is a `FileNotFoundError` of a read, never an empty file.
    """

    @property
    def address(self) -> str:
        """How people write this place: a path or a URL."""
        ...

    @property
    def path(self) -> Path | None:
        """The local folder; None where this place is none."""
        ...

    def exists(self) -> bool:
        """Whether the place is there at all."""
        ...

    def groups(self, is_group: Callable[[str], bool]) -> list[str]:
        """The sorted names of groups that ``is_group`` knows; none where the place is missing.

        What is left of a group that never appeared whole, or is about to vanish, is none. A name that is taken by
        something else than a group, such as a link, is one: reading it tells what is wrong.
        """
        ...

    def holds(self, group: str) -> bool:
        """Whether `groups` would have this name."""
        ...

    def mark(self, group: str) -> str | None:
        """A text that is another one when a group has been replaced or altered meanwhile; None when it is not there."""
        ...

    def marks(self, is_group: Callable[[str], bool]) -> Mapping[str, str | None]:
        """The marks of all groups that `groups` has, with as few questions to the underlying system as it allows.

        None stands for that of a group altered so recently that, were it altered once more, its mark might stay the
        same.
        """
        ...

    def is_whole(self, group: str) -> bool:
        """Whether a group is a folder of its own, not a link to one or a file."""
        ...

    def files(self, group: str) -> list[str]:
        """The sorted names of what a group holds; hidden names are left out.

        Raises:
            FileNotFoundError: there is no such group.
        """
        ...

    def read(self, group: str, file: str, max_bytes: int, sha256: str | None = None) -> bytes:
        """The bytes of one file.

        Args:
            group: its group.
            file: its name in the group.
            max_bytes: the largest size that is read.
            sha256: what the digest of the bytes should be, in hex. A place that fetches from afar may answer from a
                copy with this digest, and keeps none with another. The caller checks the bytes all the same.

        Raises:
            FileNotFoundError: there is no such file.
            UnfitFileError: there is something else than a regular file, or it is too large.
        """
        ...

    def publish(self, group: str, files: Mapping[str, bytes]) -> bool:
        """Make a new group visible, whole and lasting.

        Args:
            group: its name.
            files: bytes by name; the last one is what makes the group visible, where a place has no other way.

        Returns:
            False when the group was there already, in which case nothing has changed.
        """
        ...

    def discard(self, group: str) -> bool:
        """Make a group vanish. Returns False when there was nothing to remove."""
        ...

    def set_aside(self, group: str, *, mark: str | None = None) -> str | None:
        """Move a group out of sight, deleting nothing.

        Args:
            group: its name; in a local folder also that of anything else, such as ``aliases/best.json``.
            mark: as `mark` told it when it was found to be in the way; None to move it however it is now.

        Returns:
            Where it lies now, as people write it; None, and nothing has moved, when it is not there, or has another
            mark now.

        Raises:
            ZooWriteError: it could not be moved.
        """
        ...

    def clear_leftovers(self) -> list[str]:
        """Delete what dead writers left, and nothing that a living one may be using.

        Returns:
            The names of what was deleted.
        """
        ...

    def notes(self) -> list[str]:
        """The sorted names of the notes.

        Raises:
            UnfitFileError: something else lies where they should be, such as a link.
        """
        ...

    def read_note(self, name: str, max_bytes: int) -> bytes | None:
        """A note; None where there is none. Raises `UnfitFileError` as `read` does."""
        ...

    def write_notes(
        self, notes: Mapping[str, bytes | None], *, expected: Mapping[str, bytes | None] | None = None
    ) -> bool:
        """Replace notes, each whole; None deletes one, and it is no error if it is gone.

        Args:
            notes: what they shall hold, by name.
            expected: what some notes, these or others, must hold now for that; None: there must be none.

        Returns:
            False, and nothing has been written, when one of the expected notes holds something else.
        """
        ...


@runtime_checkable
class PublishesTogether(Protocol):
    """A `Place` where several groups are better published at once than one after the other."""

    def publish_all(self, groups: Mapping[str, Mapping[str, bytes]]) -> list[str]:
        """Make new groups visible, all at once. Returns the names of those that were not there already."""
        ...
