import pytest
import torch

from ot_select import OTDD, BuresWasserstein, OptionError
from ot_select.distances.device import compute_device

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


def test_the_device_is_the_one_that_both_clouds_came_from_unless_one_is_named() -> None:
    assert compute_device(None, CPU, CPU) == CPU
    assert compute_device("cpu", CPU, GPU) == CPU


def test_clouds_of_different_devices_need_a_device_to_be_named() -> None:
    with pytest.raises(OptionError, match=r"Cloud a came from cpu and cloud b from cuda:0.*for instance device='cpu'"):
        compute_device(None, CPU, GPU)


@pytest.mark.parametrize("name", ["abacus", "meta", "cuda:99"])
def test_a_device_that_cannot_compute_gets_a_sentence(name: str) -> None:
    with pytest.raises(OptionError, match=f"device is '{name}', which cannot compute in float64 here.*device='cpu'"):
        compute_device(name, CPU, CPU)


@pytest.mark.parametrize("distance", [OTDD, BuresWasserstein])
def test_a_precision_that_is_not_known_gets_a_sentence(distance: type[OTDD] | type[BuresWasserstein]) -> None:
    with pytest.raises(OptionError, match="precision is 'float16', but one of 'float64', 'float32' is needed"):
        distance(precision="float16")  # type: ignore[arg-type]
