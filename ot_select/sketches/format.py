"""How a sketch is stored: tensors by name, and a JSON text in bytes for what is no tensor (docs/zoo-format.md)."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ot_select.errors import SketchError

SKETCH_FORMAT = 3
REMEDY = "Make the sketch again from the images."

Tensors = Mapping[str, tuple[tuple[str, ...], int]]
"""Names of tensors, each with the dtypes that it may have and its number of dimensions."""

_COMMON: Tensors = {
    "class_counts": (("int64",), 1),
    "class_means": (("float32", "float64"), 2),
    "class_variances": (("float32", "float64"), 2),
}
_COMMON_FACTS = ("means_exponent", "variances_exponent")
_OF_FORMAT_2: Tensors = {"class_means": (("float64",), 2), "class_variances": (("float64",), 2)}
_OTHERWISE: Mapping[int, Tensors] = {1: {"features": (("float32",), 2), **_OF_FORMAT_2}, 2: _OF_FORMAT_2}
"""What earlier formats stored in another type."""
_NOT_OF_FORMAT_1 = {"kind", "exponent", "digest", *_COMMON_FACTS}


@dataclass(frozen=True)
class Layout:
    """What a way to keep rows stores beside what every sketch has.

    Attributes:
        tensors: its tensors.
        facts: names of its whole numbers.
    """

    tensors: Tensors
    facts: tuple[str, ...]


@dataclass(frozen=True)
class StoredSketch:
    """The parts of a sketch as they are stored, of the right types but not yet held against each other.

    Attributes:
        kind: how its rows are kept.
        class_names: of the classes.
        embedder: who made the features.
        arrays: its tensors.
        facts: its whole numbers.
        digest: the one that was stored with it, if there was one.
        version: the format that it is stored in.
    """

    kind: str
    class_names: tuple[str, ...]
    embedder: str
    arrays: Mapping[str, npt.NDArray[Any]]
    facts: Mapping[str, int]
    digest: str | None = None
    version: int = SKETCH_FORMAT

    def content_digest(self) -> str:
        """SHA-256 of everything but the stored digest, in hexadecimal."""
        digest = hashlib.sha256(f"sketch {self.version}\n".encode())
        for name, array in sorted(self.arrays.items()):
            header = _canonical([name, array.dtype.name, list(array.shape)])
            digest.update(len(header).to_bytes(8, "little") + header)
            digest.update(np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes())
        digest.update(_canonical(self._meta()))
        return digest.hexdigest()

    def to_tensors(self) -> dict[str, torch.Tensor]:
        """The tensors, with all that is none as ``meta``."""
        meta = _canonical({**self._meta(), "digest": self.content_digest()})
        tensors = {name: torch.from_numpy(array.copy()) for name, array in self.arrays.items()}
        return {**tensors, "meta": torch.frombuffer(bytearray(meta), dtype=torch.uint8)}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor], layouts: Mapping[str, Layout]) -> "StoredSketch":
        """The parts that ``to_tensors`` wrote; tensors of other names are ignored.

        Args:
            tensors: by name.
            layouts: of the ways to keep rows, by name.

        Raises:
            SketchError: a tensor is missing or of another type, or ``meta`` cannot be read.
        """
        meta = _read_meta(_arrays(tensors, {"meta": (("uint8",), 1)})["meta"].tobytes(), layouts)
        layout = layouts[meta["kind"]]
        return cls(
            kind=meta["kind"],
            class_names=tuple(meta["class_names"]),
            embedder=meta["embedder"],
            arrays=_arrays(tensors, {**layout.tensors, **_COMMON, **_OTHERWISE.get(meta["format"], {})}),
            facts={name: meta[name] for name in _facts(meta["format"], layout)},
            digest=meta["digest"],
            version=meta["format"],
        )

    def _meta(self) -> dict[str, Any]:
        return {
            "format": self.version,
            "kind": self.kind,
            "class_names": list(self.class_names),
            "embedder": self.embedder,
            **self.facts,
        }


def _facts(version: int, layout: Layout) -> tuple[str, ...]:
    return layout.facts + (_COMMON_FACTS if version == SKETCH_FORMAT else ())


def _canonical(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _arrays(tensors: Mapping[str, torch.Tensor], layout: Tensors) -> dict[str, npt.NDArray[Any]]:
    missing = [name for name in layout if name not in tensors]
    if missing:
        raise SketchError(
            f"The sketch lacks {', '.join(missing)}; found {', '.join(sorted(tensors)) or 'nothing'}. {REMEDY}"
        )
    arrays = {}
    for name, (dtypes, ndim) in layout.items():
        tensor = tensors[name]
        found = str(tensor.dtype).removeprefix("torch.")
        if found not in dtypes or tensor.ndim != ndim:
            raise SketchError(
                f"{name} of the sketch is {found} with {tensor.ndim} dimension(s), but {' or '.join(dtypes)} with "
                f"{ndim} is needed. {REMEDY}"
            )
        arrays[name] = tensor.detach().cpu().numpy().copy()
    return arrays


def _read_meta(encoded: bytes, layouts: Mapping[str, Layout]) -> dict[str, Any]:
    try:
        meta = json.loads(encoded.decode())
    except (ValueError, RecursionError) as error:
        raise SketchError(f"meta of the sketch is no UTF-8 JSON ({error}). {REMEDY}") from error
    version = meta.get("format") if isinstance(meta, dict) else None
    if type(version) is not int or not 1 <= version <= SKETCH_FORMAT:
        raise SketchError(
            f"The sketch has format {version!r}, but this version reads formats 1 to {SKETCH_FORMAT}. "
            "Install the version that wrote it, or make the sketch again from the images."
        )
    if version == 1:  # rows in float32, without a digest
        if strange := sorted(_NOT_OF_FORMAT_1 & set(meta)):
            raise SketchError(f"The sketch has format 1, but also {', '.join(strange)}, as only later ones. {REMEDY}")
        meta = {**meta, "kind": "rows", "exponent": 0, "digest": None}
    names, kind = meta.get("class_names"), meta.get("kind")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SketchError(f"meta of the sketch lacks a list of class names. {REMEDY}")
    if not isinstance(meta.get("embedder"), str):
        raise SketchError(f"meta of the sketch lacks the embedder. {REMEDY}")
    if not isinstance(kind, str) or kind not in layouts:
        raise SketchError(f"The sketch keeps {kind!r}, but one of {', '.join(map(repr, layouts))} is needed. {REMEDY}")
    for name in _facts(version, layouts[kind]):
        if type(meta.get(name)) is not int or abs(meta[name]) >= 2**31:
            raise SketchError(f"{name} of the sketch is {meta.get(name)!r}, but a whole number is needed. {REMEDY}")
    if version != 1 and not isinstance(meta.get("digest"), str):
        raise SketchError(f"meta of the sketch lacks the digest. {REMEDY}")
    return dict(meta)
