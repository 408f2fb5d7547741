"""Work on many images at once: Pillow and SHA-256 let other threads run while they compute."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_ITEMS_A_TASK = 16  # handing a task over costs as much as a tenth of decoding a small image
_AHEAD = 4  # tasks a thread may be ahead of who takes the results, which bounds memory


def in_threads(
    work: Callable[[_Item], _Result], items: Sequence[_Item], items_a_task: int = _ITEMS_A_TASK
) -> Iterator[_Result]:
    """The results for all items, in their order; the first error in that order is raised."""
    num_threads = min(num_processors(), len(items) // items_a_task)
    if num_threads < 2:
        yield from map(work, items)
        return
    chunks = (items[start : start + items_a_task] for start in range(0, len(items), items_a_task))
    pool = ThreadPoolExecutor(num_threads, thread_name_prefix="images")
    tasks = (pool.submit(_each, work, chunk) for chunk in chunks)
    running: deque[Future[list[_Result]]] = deque(islice(tasks, num_threads * _AHEAD))
    try:
        while running:
            found = running.popleft().result()
            running.extend(islice(tasks, 1))
            yield from found
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def num_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _each(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> list[_Result]:
    return [work(item) for item in items]
