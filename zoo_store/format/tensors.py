"""Named tensors as bytes that last: what may be kept, how it is written, and the digest of what it says."""

import hashlib
import sys
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as format_safetensors
from torch import Tensor

from zoo_store.errors import TensorError
from zoo_store.format.plain_json import canonical
from zoo_store.format.tensor_header import check_header, name_fault, shape_fault

DTYPE_NAMES: dict[torch.dtype, str] = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""The dtypes that an entry may hold, by the names that the safetensors format gives them."""

_ITEM_SIZES = {name: dtype.itemsize for dtype, name in DTYPE_NAMES.items()}
_MALFORMED = (SafetensorError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError)


def named_tensors(tensors: object, part: str) -> dict[str, Tensor]:
    """Check that something is a mapping from names to tensors, and copy the mapping (not the tensors).

    Args:
        tensors: what the caller gave.
        part: "state" or "sketch", for the message.

    Raises:
        TensorError: naming the first thing that does not fit.
    """
    if not isinstance(tensors, Mapping):
        raise TensorError(f"{part} is a {type(tensors).__name__}; expected a mapping from names to tensors.")
    for name, tensor in tensors.items():
        fault = name_fault(name) if isinstance(name, str) else f"{name!r}; expected a non-empty text"
        if fault:
            raise TensorError(f"{part} holds a tensor under {fault}: rename it.")
        if not isinstance(tensor, Tensor):
            raise TensorError(
                f"{part}[{name!r}] is a {type(tensor).__name__}; expected a torch.Tensor: convert it, "
                "for example with torch.as_tensor(...), or leave it out."
            )
    return dict(tensors)


def snapshot(tensors: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Copy tensors to contiguous CPU memory of their own, refusing what cannot be kept.

    The copies share nothing with the caller's tensors or with each other, so that a training loop may go on meanwhile.

    Args:
        tensors: any device, strides and sharing.
        part: "state" or "sketch", for the message.

    Raises:
        TensorError: a dtype or layout that cannot be kept, or a value that is not finite; with the tensor's name.
    """
    copies = {}
    for name, tensor in tensors.items():
        _check_kind(tensor, f"{part}[{name!r}]")
        copy = tensor.detach().to(device="cpu", copy=True).resolve_neg().contiguous()
        _check_values(copy, f"{part}[{name!r}]")
        copies[name] = copy
    return copies


def _check_kind(tensor: Tensor, where: str) -> None:
    if tensor.dtype not in DTYPE_NAMES:
        kept = ", ".join(map(_short, DTYPE_NAMES))
        raise TensorError(
            f"{where} has dtype {_short(tensor.dtype)}; expected one of {kept}: convert it with .to(...) first."
        )
    if tensor.is_meta or tensor.layout != torch.strided:
        found = "is on the meta device" if tensor.is_meta else f"has the layout {tensor.layout}"
        raise TensorError(f"{where} {found}; expected a dense tensor with values: materialise it first.")
    if fault := shape_fault(tuple(tensor.shape), tensor.dtype.itemsize):
        raise TensorError(f"{where} has {fault}: reshape it first.")


def _check_values(tensor: Tensor, where: str) -> None:
    if tensor.dtype == torch.bool and bool((tensor.reshape(-1).view(torch.uint8) > 1).any()):
        raise TensorError(f"{where} holds booleans that are neither the byte 0 nor the byte 1; expected only these.")
    if not tensor.is_floating_point():
        return
    num_bad = tensor.numel() - int(torch.isfinite(tensor).sum())
    if num_bad:
        raise TensorError(
            f"{where} holds {num_bad} value(s) of {tensor.numel()} that are NaN or infinite; expected finite numbers: "
            "the training has diverged, so go back to an earlier state."
        )


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def encode(tensors: Mapping[str, Tensor], part: str) -> bytes:
    """The bytes of a safetensors file; ``tensors`` as `snapshot` gives them.

    Raises:
        TensorError: they are too many, or their names too long, for the file to be read again.
    """
    data = format_safetensors(dict(tensors))
    try:
        check_header(data, _ITEM_SIZES)
    except ValueError as error:
        raise TensorError(f"{part} cannot be kept: its file {error}. Keep fewer tensors, or shorter names.") from error
    return data


def decode(data: bytes, part: str) -> dict[str, Tensor]:
    """Read the bytes of a safetensors file, as untrusted as they come.

    Raises:
        TensorError: the bytes are malformed, or hold what `snapshot` would not have written.
    """
    try:
        check_header(data, _ITEM_SIZES)
    except ValueError as error:
        raise TensorError(f"{part} is not a readable safetensors file: it {error}") from error
    try:
        found = parse_safetensors(data)
    except _MALFORMED as error:
        raise TensorError(f"{part} is not a readable safetensors file ({error})") from error
    for name, tensor in found.items():
        _check_kind(tensor, f"{part}[{name!r}]")
        _check_values(tensor, f"{part}[{name!r}]")
    return named_tensors(found, part)


def tensors_digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256, in hex, of what tensors say, whatever file holds them.

    Covered, in the order of the names by code point: the canonical JSON of ``[name, dtype, shape]``, preceded by its
    length as 8 little-endian bytes, then the values in row-major order, little-endian.

    Args:
        tensors: as `snapshot` gives them.
    """
    digest = hashlib.sha256(b"zoo tensors 1\n")
    for name in sorted(tensors):
        tensor = tensors[name]
        header = canonical([name, DTYPE_NAMES[tensor.dtype], list(tensor.shape)])
        digest.update(len(header).to_bytes(8, "little"))
        digest.update(header)
        digest.update(_little_endian(tensor))
    return digest.hexdigest()


def _little_endian(tensor: Tensor) -> memoryview:
    flat = tensor.reshape(-1).view(torch.uint8)
    if sys.byteorder == "big" and tensor.element_size() > 1:
        flat = flat.reshape(-1, tensor.element_size()).flip(1).reshape(-1)
    return flat.numpy().data
