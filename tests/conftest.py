"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever is cached goes to a folder of the tests' own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("SUPERNET_TL_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()
