"""Tables of numbers in few bytes each, whatever their size."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from ot_select.arrays import FloatArray, read_only
from ot_select.errors import OptionError

PackedDtype = Literal["float16", "float32"]

_LARGEST_EXPONENT = 15  # values stay below 2 ** 15: inside float16 (65504), and rounding cannot leave it


@dataclass(frozen=True, eq=False)
class Packed:
    """A table as ``values * 2 ** exponent``.

    A power of two moves the numbers into the range of their type without rounding them: what fits the precision of the
    type is kept exactly.

    Attributes:
        values: float16 or float32, read-only; float64 where an earlier format did not pack them.
        exponent: of the power of two.
    """

    values: npt.NDArray[np.float16] | npt.NDArray[np.float32] | npt.NDArray[np.float64]
    exponent: int

    def __post_init__(self) -> None:
        read_only(self.values)

    @classmethod
    def of(cls, table: FloatArray, dtype: PackedDtype) -> "Packed":
        """The table rounded to a type; the largest number keeps all digits that the type has.

        Args:
            table: finite.
            dtype: ``float16`` keeps 11 binary digits (a relative error of at most 2 ** -11) of numbers down to
                2 ** -29 of the largest; ``float32`` 24 digits.

        Raises:
            OptionError: there is no such type.
        """
        if dtype not in get_args(PackedDtype):
            raise OptionError(
                f"dtype is {dtype!r}, but one of {', '.join(map(repr, get_args(PackedDtype)))} is needed."
            )
        largest = float(np.abs(table).max(initial=0.0))
        exponent = int(np.frexp(largest)[1]) - _LARGEST_EXPONENT if largest else 0
        return cls(np.ldexp(table, -exponent).astype(dtype), exponent)

    @property
    def is_finite(self) -> bool:
        """Whether every number is, as kept and as float64."""
        with np.errstate(over="ignore"):
            return bool(np.isfinite(self.unpacked()).all())

    def unpacked(self) -> FloatArray:
        """The numbers as float64, exactly those that are kept."""
        return np.ldexp(self.values.astype(np.float64), self.exponent)
