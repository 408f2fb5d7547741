"""Work on many items in threads."""

from __future__ import annotations

import threading
import time

import pytest

from supernet_tl.data.pixels import threads
from supernet_tl.data.pixels.threads import in_threads


@pytest.fixture(autouse=True)
def _four_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "num_processors", lambda: 4)


@pytest.mark.parametrize("num", [0, 1, 15, 33, 500])
def test_results_come_in_the_order_of_the_items(num: int) -> None:
    def work(item: int) -> int:
        time.sleep(0.001 * (item % 3 == 0))
        return item * item

    assert list(in_threads(work, range(num))) == [item * item for item in range(num)]


def test_the_first_error_in_that_order_is_raised_and_what_comes_after_is_not_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item in (70, 40):
            raise ValueError(f"item {item}")
        return item

    found: list[int] = []
    with pytest.raises(ValueError, match=r"^item 40$"):
        found.extend(in_threads(work, range(100_000)))
    assert found == list(range(32))  # the tasks of sixteen items before that of the error
    assert max(begun) < 1000


def test_several_threads_share_the_work_and_none_is_left() -> None:
    def work(item: int) -> str:
        time.sleep(0.001)
        return threading.current_thread().name

    names = set(in_threads(work, range(200)))
    assert 1 < len(names) <= 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("images")]
