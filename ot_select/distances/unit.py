"""The unit that numbers are computed in: a power of two, so that nothing leaves the range of floats on the way.

Solvers have absolute tolerances, and squares and fourth powers of features leave the range of floats long before the
features do. Division by a power of two changes no digit; so distances of clouds scaled by one are scaled by its square,
to the last bit.
"""

import math
from dataclasses import dataclass

import numpy as np

from ot_select.arrays import FloatArray
from ot_select.errors import OptionError


@dataclass(frozen=True)
class Unit:
    """2 to the ``exponent``, in feature units."""

    exponent: int

    @classmethod
    def of(cls, *tables: FloatArray) -> "Unit":
        """The power of two just above the largest magnitude in these tables; 1 where all is 0."""
        largest = max((max(float(table.max()), -float(table.min())) for table in tables if table.size), default=0.0)
        return cls(math.frexp(largest)[1])

    def measure(self, table: FloatArray) -> FloatArray:
        """Lengths in this unit."""
        return np.asarray(np.ldexp(table, -self.exponent), dtype=np.float64)

    def measure_square(self, name: str, number: float) -> float:
        """A number in feature units squared, in this unit squared.

        Raises:
            OptionError: it does not fit there.
        """
        with np.errstate(over="ignore"):
            found = float(np.ldexp(number, -2 * self.exponent))
        if not np.finfo(np.float64).tiny <= found < np.inf:
            raise OptionError(
                f"{name} is {number!r}, but features differ by about 2**{self.exponent}, so that it is out of all "
                f"proportion to squared distances. Give {name} in feature units squared, or rescale the features."
            )
        return found

    def squares(self, numbers: FloatArray | float) -> FloatArray:
        """Squares in this unit, in feature units squared: 0 or infinite where they do not fit."""
        with np.errstate(over="ignore"):
            return np.asarray(np.ldexp(numbers, 2 * self.exponent), dtype=np.float64)

    def fitting_squares(self, numbers: FloatArray | float) -> FloatArray:
        """The same, all that matters of them within range.

        Raises:
            OptionError: the largest magnitude does not fit there.
        """
        found = self.squares(numbers)
        largest = np.abs(numbers).max()
        if np.ldexp(np.abs(found).max(), -2 * self.exponent) != largest:
            raise OptionError(
                f"The squared distance is {largest:.6g} times 2**{2 * self.exponent}, which does not fit float64. "
                f"Rescale the features of all clouds, for instance np.ldexp(features, {-self.exponent})."
            )
        return found
