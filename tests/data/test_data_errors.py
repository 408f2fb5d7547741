"""Errors carry a sentence and its details, also from one process to another."""

from __future__ import annotations

import pickle

import pytest

from supernet_tl.data import (
    CorruptImagesError,
    DataError,
    DecodeError,
    ImageProblem,
    MissingFilesError,
    MissingPackageError,
    SmallClassesError,
    SourceNotFoundError,
)
from supernet_tl.data.errors import listing

PROBLEM = ImageProblem("a.png", "the file is empty")


@pytest.mark.parametrize(
    "error",
    [
        DecodeError(PROBLEM),
        CorruptImagesError("a sentence.", [PROBLEM]),
        SmallClassesError("a sentence.", {"b": 3}),
        MissingFilesError("a sentence.", ["a.png"]),
        SourceNotFoundError("a sentence."),
        MissingPackageError("a sentence."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_survives_pickling_with_its_details(error: DataError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
    assert isinstance(copy, ValueError)
    assert str(error).endswith(".")


def test_a_listing_shows_the_first_five_and_counts_the_rest() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert listing(list("abc"), limit=1) == "a and 2 more"
