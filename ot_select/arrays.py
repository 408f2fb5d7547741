"""Array types, and what several files need to convert arrays and check numbers."""

import numpy as np
import numpy.typing as npt

from ot_select.errors import OptionError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def read_only(array: npt.NDArray[np.generic]) -> None:
    """Make an array refuse writes, so that a frozen value is frozen to the bottom."""
    array.setflags(write=False)


def check_positive_int(name: str, value: object) -> int:
    """The value as an int of at least 1.

    Raises:
        OptionError: it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise OptionError(f"{name} is {value!r}, but a whole number of at least 1 is needed. Give {name}=1 or more.")
    return int(value)


def check_flag(name: str, value: object) -> None:
    """Refuse what is neither True nor False.

    Raises:
        OptionError: as said.
    """
    if not isinstance(value, bool | np.bool_):
        raise OptionError(f"{name} is {value!r}, but True or False is needed.")


def check_seed(value: object) -> int:
    """The value as a seed: an int of at least 0.

    Raises:
        OptionError: it is anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise OptionError(f"seed is {value!r}, but a whole number of at least 0 is needed. Give for instance seed=0.")
    return int(value)
