"""Where distances are computed, and in what precision."""

from typing import Literal

import torch

from ot_select.errors import OptionError

Precision = Literal["float64", "float32"]
DTYPES: dict[str, torch.dtype] = {"float64": torch.float64, "float32": torch.float32}


def compute_device(asked: str | torch.device | None, device_a: torch.device, device_b: torch.device) -> torch.device:
    """The device asked for, or else the one that both clouds came from.

    Raises:
        OptionError: the clouds came from different devices and none was asked for, or the device cannot be used.
    """
    if asked is None and device_a != device_b:
        raise OptionError(
            f"Cloud a came from {device_a} and cloud b from {device_b}, so where to compute is open. "
            f"Say it, for instance device={str(device_a)!r}."
        )
    try:
        device = device_a if asked is None else torch.device(asked)
        torch.zeros(1, device=device, dtype=torch.float64).cpu()  # couplings are solved in float64
    except (RuntimeError, TypeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise OptionError(
            f"device is {str(asked or device_a)!r}, which cannot compute in float64 here ({reason}). "
            "Give device='cpu', or a GPU that PyTorch sees on this machine."
        ) from error
    return device


def check_precision(precision: object) -> None:
    """Refuse a precision that is not known.

    Raises:
        OptionError: as said.
    """
    if not isinstance(precision, str) or precision not in DTYPES:
        raise OptionError(
            f"precision is {precision!r}, but one of {', '.join(map(repr, DTYPES))} is needed. "
            "Give precision='float64' unless speed matters more than digits."
        )
