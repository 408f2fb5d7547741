"""What can be wrong with data that is handed in; every message says what was found, what was expected, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ImageProblem:
    """One image that cannot be used, and why.

    Args:
        path: the image's file, or its place in a set that is not made of files.
        reason: a phrase that continues "cannot be read: ...".
    """

    path: str
    reason: str


class DataError(ValueError):
    """Root of everything this package raises about data.

    The first argument is the sentence. Details are further arguments, so that errors survive pickling.
    """

    def __str__(self) -> str:
        return str(self.args[0])


class SourceNotFoundError(DataError, FileNotFoundError):
    """The folder, or the pocket set, does not exist."""


class SourceOfferError(DataError):
    """Another package offers a source of images that cannot be used."""


class DownloadError(DataError, OSError):
    """A dataset cannot be downloaded, or what came is not what it should be."""


class OfflineError(DownloadError):
    """A dataset is not kept on this machine, and others may not be asked for it."""


class LayoutError(DataError):
    """The folder exists, but is not laid out as an image set."""


class EmptySourceError(LayoutError):
    """The folder holds no image."""


class TooFewClassesError(DataError):
    """Fewer than two classes: there is nothing to tell apart."""


class SmallClassesError(DataError):
    """Some classes have too few images to be split.

    Args:
        message: the sentence.
        counts: images of each class that is too small, by class name.
    """

    def __init__(self, message: str, counts: dict[str, int]) -> None:
        super().__init__(message, counts)
        self.counts = counts


class DecodeError(DataError):
    """One image cannot be decoded.

    Args:
        problem: which image, and why.
    """

    def __init__(self, problem: ImageProblem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        path, reason = self.problem.path, self.problem.reason
        return f"{path} cannot be read: {reason}. Repair it, or leave it out with --skip-corrupt."


class CorruptImagesError(DataError):
    """Images that cannot be decoded, all of them at once.

    Args:
        message: the sentence.
        problems: every unreadable image with its reason.
    """

    def __init__(self, message: str, problems: Sequence[ImageProblem]) -> None:
        super().__init__(message, tuple(problems))
        self.problems = tuple(problems)


class MissingFilesError(DataError):
    """labels.csv names images that do not exist.

    Args:
        message: the sentence.
        names: every name without a file.
    """

    def __init__(self, message: str, names: Sequence[str]) -> None:
        super().__init__(message, tuple(names))
        self.names = tuple(names)


class MissingPackageError(DataError, ImportError):
    """A package whose files the pocket album reads is not installed."""


class SplitError(DataError):
    """The images cannot be split as asked, or a stored split belongs to other data."""


class BatchError(DataError):
    """Images, labels or settings from which no batch can be made."""


def listing(items: Sequence[str], limit: int = 5) -> str:
    """Up to ``limit`` items, comma separated, and how many more there are."""
    shown = ", ".join(items[:limit])
    return shown if len(items) <= limit else f"{shown} and {len(items) - limit} more"
