"""The starter zoo: supernets pretrained on the pocket album, shipped with the package, and what makes them."""

from supernet_tl.starter.place import STARTER, STARTER_PATH

__all__ = ["STARTER", "STARTER_PATH"]
