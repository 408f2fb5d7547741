"""A zoo on a disk that fills up."""

import os
from pathlib import Path

from tests.zoo_store.faults.small_disk import small_disk
from tests.zoo_store.faulty_writers import entry
from zoo_store import Zoo, ZooWriteError

ROOM = 1 << 20


def fill(folder: Path) -> str:
    """Add until there is no room, in a file system of `ROOM` bytes.

    Returns:
        A line that tells what happened; that nothing did where no file system may be mounted.

    Raises:
        RuntimeError: the zoo is not as valid as before, or its refusal does not tell what to do.
    """
    with small_disk(folder, ROOM) as mounted:
        if not mounted:
            return "full disk: no file system may be mounted here; the tests limit the size of files instead"
        zoo = Zoo(folder / "zoo")
        added: list[str] = []
        refusal = ""
        while not refusal:
            try:
                added.append(zoo.add(entry(len(added))))
            except ZooWriteError as error:
                refusal = str(error)
        _require("No space left on device" in refusal and "Make room on the disk" in refusal, refusal)
        _require(set(zoo) == set(added), "entries were lost, or appeared")
        _require(zoo.verify() == [], "the zoo no longer verifies")
        _require(not [name for name in os.listdir(zoo.path) if name.startswith(".incoming")], "something was left")
        zoo.remove(added.pop())
        _require(zoo.add(entry(10_000)) in zoo, "there was room again, and no entry could be added")
        _require(zoo.verify() == [], "the zoo no longer verifies")
        return f"full disk: a file system of {ROOM} bytes took {len(added) + 1} entries, refused the next, lost none"


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)
