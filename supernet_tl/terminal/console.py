"""What a person sees on the terminal while a verb works: on standard error, so that results have standard output."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from supernet_tl.terminal.output import harmless

CONSOLE = Console(stderr=True, highlight=False, markup=False)  # names of files may hold brackets


class StageProgress:
    """The bar of one stage with its time left; without a terminal, a line for every epoch that is noted.

    Args:
        title: names the stage.
        quiet: show nothing.
        transient: leave no line behind when the stage is done.
        in_bytes: the steps are bytes.
    """

    def __init__(self, title: str, *, quiet: bool = False, transient: bool = False, in_bytes: bool = False) -> None:
        self.title = title
        self.quiet = quiet
        self.transient = transient
        self.in_bytes = in_bytes
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def start(self, total: int) -> None:
        """Show the bar, at nothing done of ``total`` steps."""
        if self.quiet or not CONSOLE.is_terminal:
            return
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=16),
            *((DownloadColumn(), TransferSpeedColumn()) if self.in_bytes else (MofNCompleteColumn(),)),
            TextColumn("left"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[status]}", markup=False),
            console=CONSOLE,
            transient=self.transient,
        )
        self._task = self._progress.add_task(self.title, total=total, status="")
        self._progress.start()

    def advance(self, steps: int) -> None:
        """Some steps further."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, steps)

    def reach(self, done: int) -> None:
        """So many steps are done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done)

    def note(self, position: str, status: str) -> None:
        """Say where the stage stands."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, status=f"{position} {status}")
        elif not self.quiet:
            CONSOLE.print(f"{self.title}: {position} {status}".rstrip(), soft_wrap=True)

    def stop(self) -> None:
        """Leave the bar as it stands."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


@contextmanager
def counted(title: str, *, quiet: bool = False, in_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar for work that reports how many things of how many are done; it goes when all are, so that others may come.

    Args:
        title: names the work.
        quiet: show nothing.
        in_bytes: the things are bytes.
    """
    bar = StageProgress(title, quiet=quiet, transient=True, in_bytes=in_bytes)
    showing = False

    def report(done: int, total: int) -> None:
        nonlocal showing
        if not showing:
            bar.start(total)
            showing = True
        bar.reach(done)
        if done >= total:
            bar.stop()
            showing = False

    try:
        yield report
    finally:
        bar.stop()


def say(text: str, *, quiet: bool = False) -> None:
    """One line for the person."""
    if not quiet:
        CONSOLE.print("\n".join(map(harmless, text.split("\n"))), soft_wrap=True)


class _Notices(logging.Handler):
    """Shows what is logged, each sentence once."""

    def __init__(self) -> None:
        super().__init__()
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if text not in self._said:
            self._said.add(text)
            say(f"note: {text}")


def show_notices(*, quiet: bool = False) -> None:
    """Let the person see what zoo and data have to say, such as that it is offline; when quiet, only warnings."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # the verbs show their own
    notices = _Notices()
    for logger in map(logging.getLogger, ("zoo_store", "supernet_tl.data")):
        for handler in [handler for handler in logger.handlers if isinstance(handler, _Notices)]:
            logger.removeHandler(handler)
        logger.addHandler(notices)
        logger.setLevel(logging.WARNING if quiet else logging.INFO)
        logger.propagate = False
