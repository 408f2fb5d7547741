"""A zoo of pretrained supernets that can be trusted: immutable, verifiable entries."""

from zoo_store.copying import Copies
from zoo_store.errors import (
    AliasError,
    AmbiguousIdError,
    CardError,
    CorruptEntryError,
    EntryNotFoundError,
    FilterError,
    InvalidIdError,
    NewerVersionError,
    SchemaVersionError,
    TensorError,
    ZooBusyError,
    ZooError,
    ZooNotFoundError,
    ZooPathError,
    ZooReadError,
    ZooWriteError,
)
from zoo_store.format.entry import ZooEntry, content_id
from zoo_store.listing.filters import EntryFilter
from zoo_store.listing.listed_entry import ListedEntry
from zoo_store.places.kept.cache import clear_cache
from zoo_store.problem import Problem
from zoo_store.zoo import Zoo

__all__ = [
    "AliasError",
    "AmbiguousIdError",
    "CardError",
    "Copies",
    "CorruptEntryError",
    "EntryFilter",
    "EntryNotFoundError",
    "FilterError",
    "InvalidIdError",
    "ListedEntry",
    "NewerVersionError",
    "Problem",
    "SchemaVersionError",
    "TensorError",
    "Zoo",
    "ZooBusyError",
    "ZooEntry",
    "ZooError",
    "ZooNotFoundError",
    "ZooPathError",
    "ZooReadError",
    "ZooWriteError",
    "clear_cache",
    "content_id",
]
