"""The pocket album: real image sets that Python packages carry, so that everything can be tried offline."""

from supernet_tl.data.sources.pocket.album import POCKET_NAMES, open_pocket

__all__ = ["POCKET_NAMES", "open_pocket"]
