from typing import Literal

import numpy as np
import pytest

from ot_select.sketches.packed import Packed


@pytest.mark.parametrize(("dtype", "digits"), [("float16", 11), ("float32", 24)])
@pytest.mark.parametrize("largest", [1e-300, 1e-30, 1.0, 65504.0, 7e4, 1e300])
def test_a_table_of_any_size_keeps_the_digits_of_its_type(
    dtype: Literal["float16", "float32"], digits: int, largest: float
) -> None:
    # numbers of both signs over six orders of magnitude, down to where half precision has all its digits
    table = np.random.default_rng(0).choice([-1.0, 1.0], (50, 20)) * np.logspace(-6, 0, 1000).reshape(50, 20) * largest
    packed = Packed.of(table, dtype)
    assert packed.values.dtype == dtype
    assert np.abs(packed.unpacked() / table - 1).max() <= 2.0**-digits
    assert packed.is_finite


@pytest.mark.parametrize("table", [[[0.0, -0.0]], [[65504.0, -1.0], [2.0**-13, 0.5]], [[5e-324, 0.0]]])
def test_what_fits_the_type_is_kept_exactly(table: list[list[float]]) -> None:
    assert Packed.of(np.array(table), "float16").unpacked().tolist() == table
    assert Packed.of(np.array(table, dtype=np.float32).astype(np.float64), "float32").unpacked().tolist() == (
        np.array(table, dtype=np.float32).tolist()
    )


def test_numbers_beyond_float64_are_noticed() -> None:
    assert not Packed(np.ones((1, 1), dtype=np.float16), 5000).is_finite
    assert not Packed(np.full((1, 1), np.nan, dtype=np.float32), 0).is_finite
