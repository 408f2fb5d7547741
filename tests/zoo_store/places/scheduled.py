"""Actors on one place that take turns, one request to the store at a time, in an order that a seed decides."""

import hashlib
import random
import threading
from collections.abc import Callable, Mapping, Sequence

from zoo_store.errors import CorruptEntryError
from zoo_store.places.remote.object_store import ObjectStore
from zoo_store.places.remote.remote_files import Info, RemoteFiles
from zoo_store.problem import Problem

Action = Callable[[ObjectStore], object]


class StoppedError(BaseException):
    """The process has died, so far as the store can tell."""


class SteppedFiles(RemoteFiles):
    """Files that say so before each request.

    Args:
        url: as for `RemoteFiles`.
        before: is given the request's name and path.
        is_exclusive: whether the store can create exclusively; otherwise it is asked first and written to then.
    """

    def __init__(self, url: str, before: Callable[[str, str], None], *, is_exclusive: bool = True) -> None:
        super().__init__(url)
        self.before = before
        self.creates_exclusively = is_exclusive

    def info(self, path: str) -> Info | None:
        self.before("info", path)
        return super().info(path)

    def listing(self, under: str = "") -> dict[str, Info]:
        self.before("listing", under)
        return super().listing(under)

    def read(self, path: str, start: int, end: int) -> bytes:
        self.before("read", path)
        return super().read(path, start, end)

    def create(self, path: str, data: bytes) -> bool:
        if self.creates_exclusively:
            self.before("create", path)
            return super().create(path, data)
        if self.size(path) is not None:
            return False
        self.replace(path, data)
        return True

    def replace(self, path: str, data: bytes) -> None:
        self.before("replace", path)
        super().replace(path, data)

    def copy(self, path: str, target: str) -> None:
        self.before("copy", path)
        super().copy(path, target)

    def delete(self, path: str) -> None:
        self.before("delete", path)
        super().delete(path)


def take_turns(
    url: str,
    make_store: Callable[[str], ObjectStore],
    actions: Sequence[Action],
    seed: int,
    *,
    is_exclusive: bool = True,
    requests_of_first: int | None = None,
) -> list[object]:
    """Let each action run in a thread of its own, of which one at a time does one request.

    Args:
        url: as for `RemoteFiles`.
        make_store: makes the store of each action from it.
        actions: what is done.
        seed: of the order of turns.
        is_exclusive: as for `SteppedFiles`.
        requests_of_first: after which the first one dies.

    Returns:
        What each action returned, or the exception that it raised.
    """
    turns = [threading.Semaphore(0) for _ in actions]
    back = threading.Semaphore(0)
    outcomes: dict[int, object] = {}

    def act(number: int) -> None:
        done = 0

        def wait_for_turn(request: str, path: str) -> None:
            nonlocal done
            back.release()
            turns[number].acquire()
            if number == 0 and done == requests_of_first:
                raise StoppedError
            done += 1

        store = make_store(url)
        store.remote = SteppedFiles(url, wait_for_turn, is_exclusive=is_exclusive)
        turns[number].acquire()
        try:
            outcomes[number] = actions[number](store)
        except (Exception, StoppedError) as error:
            outcomes[number] = error
        back.release()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(len(actions))]
    for thread in threads:
        thread.start()
    order = random.Random(seed)
    while unfinished := [number for number in range(len(actions)) if number not in outcomes]:
        number = order.choice(unfinished)
        for _ in range(order.choice((1, 2, 4, 16))):  # some are held up for long
            if number not in outcomes:
                turns[number].release()
                back.acquire()
    for thread in threads:
        thread.join()
    return [outcomes[number] for number in range(len(actions))]


def seal(group: str, files: Mapping[str, bytes]) -> bytes:
    """The digest of a group's files, if it can be made of them: whatever they tell of who wrote them."""
    if not files["weights"].startswith(b"weights") or not files["card"].startswith(b"card"):
        raise CorruptEntryError(Problem(group, ".", "cannot be made of that"))
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(files[name])
    return digest.hexdigest().encode()


def files_of(writer: str, num_bytes: int = 0) -> Mapping[str, bytes]:
    """A group whose files are laid out in each writer's way; the marker last, which is written in a way of its own."""
    files = {
        "weights": b"weights" + bytes(num_bytes) + writer.encode(),
        "card": f"card of {writer}".encode(),
        "readme": f"readme of {writer}".encode(),
    }
    return {**files, "marker": seal("group", files) + f" found by {writer}".encode()}
