"""Who made an embedding: the part of an embedder that must be equal for features to be comparable."""

import re
from dataclasses import dataclass
from typing import Literal, cast

from ot_select.errors import EmbedderError

Precision = Literal["float32", "bfloat16", "float16"]

_PATTERN = re.compile(
    r"(?P<name>\S+) weights=(?P<sha>[0-9a-f]{64}) image_size=(?P<size>\d+) dimension=(?P<dim>\d+)"
    r"( precision=(?P<precision>bfloat16|float16))?"
)


@dataclass(frozen=True)
class EmbedderIdentity:
    """Name, weights, image size, output dimension and precision of an embedder.

    ``str()`` gives one line that ``from_string`` reads back; equal identities have equal strings. It is silent about
    the usual precision.

    Attributes:
        name: of the network, as timm knows it.
        weights_sha256: hash of the weights themselves, 64 hexadecimal digits; the file they came from plays no part.
        image_size: side of the square images that the network sees, in pixels.
        dimension: number of features.
        precision: that the network ran in.
    """

    name: str
    weights_sha256: str
    image_size: int
    dimension: int
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        if _PATTERN.fullmatch(str(self)) is None or self.image_size < 1 or self.dimension < 1:
            raise EmbedderError(
                f"{self!r} is no embedder identity: a name without blanks, 64 hexadecimal digits in lower case, an "
                "image size and dimension of at least 1, and a known precision are needed. "
                "Take it from Embedder.identity."
            )

    def __str__(self) -> str:
        precision = "" if self.precision == "float32" else f" precision={self.precision}"
        return (
            f"{self.name} weights={self.weights_sha256} image_size={self.image_size} dimension={self.dimension}"
            f"{precision}"
        )

    @classmethod
    def from_string(cls, text: str) -> "EmbedderIdentity":
        """The identity that ``str()`` wrote.

        Raises:
            EmbedderError: the text is something else.
        """
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise EmbedderError(
                f"{text!r} is no embedder identity; it should read "
                "'NAME weights=<64 hexadecimal digits> image_size=<pixels> dimension=<features>'. "
                "Take it from str(Embedder.identity)."
            )
        precision = cast(Precision, match["precision"] or "float32")
        return cls(match["name"], match["sha"], int(match["size"]), int(match["dim"]), precision)
