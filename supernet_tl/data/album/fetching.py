"""What a download tells, and whether there may be one."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from supernet_tl.data.album.link import Link, Notify
from supernet_tl.data.image_set import Progress
from supernet_tl.data.places import is_offline

_log = logging.getLogger("supernet_tl")


def _log_info(text: str) -> None:
    _log.info("%s", text)


def _show_nothing(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Fetching:
    """How a dataset is downloaded where it is not kept on this machine.

    Args:
        notify: is told a sentence at a time: the licence before anything is downloaded, attempts that failed, waits; by
            default they are logged.
        progress: called with the bytes that are there and the bytes there will be.
        checked: called with the images that have been decoded, to see that they can be, and those there are.
        offline: whether to use only what is kept; None stands for what ``$SUPERNET_TL_OFFLINE`` says.
        link: whom to ask, with how much patience.
    """

    notify: Notify = _log_info
    progress: Progress = _show_nothing
    checked: Progress = _show_nothing
    offline: bool | None = None
    link: Link = field(default_factory=Link)

    @property
    def is_offline(self) -> bool:
        """Whether others may not be asked."""
        return is_offline() if self.offline is None else self.offline
