"""The page that describes the starter zoo."""

from __future__ import annotations

import zoo_store


def page(zoo: zoo_store.Zoo) -> str:
    """A table of the entries."""
    return "\n".join(zoo.aliases())
