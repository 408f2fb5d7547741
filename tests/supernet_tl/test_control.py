from __future__ import annotations

import pytest

from supernet_tl.control import Control
from supernet_tl.errors import RecipeError


@pytest.mark.parametrize(
    ("device", "sentence"),
    [
        ("gpux", "device is 'gpux'; expected one of auto, cpu, cuda, mps or cuda:N"),
        ("cpu:1", "device is 'cpu:1'"),
        ("cuda:999", "PyTorch sees [0-9]+ of that kind"),
    ],
)
def test_a_device_that_is_not_there_is_refused(device: str, sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        Control(device=device)
