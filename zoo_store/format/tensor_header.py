"""The header of a safetensors file, held to its rules before any tensor is made.

A file is the length of its header as 8 bytes, little-endian; the header, a JSON object from names to ``dtype``,
``shape`` and ``data_offsets``; and the values of all tensors, one after the other.
"""

import math
from collections.abc import Mapping

from zoo_store.format.plain_json import Json, is_utf8, parse, shown

MAX_HEADER_BYTES = 4 * 1024 * 1024
MAX_TENSORS = 65_536
MAX_DIMENSIONS = 32
MAX_NAME_LENGTH = 1024

_LENGTH_BYTES = 8
_ALIGNMENT = 8
_LARGEST_SIZE = 2**63 - 1
_METADATA = "__metadata__"


def check_header(data: bytes, item_sizes: Mapping[str, int]) -> None:
    """Check that the header of a file accounts for every byte of it, once.

    Args:
        data: the whole file.
        item_sizes: bytes of one value, by the names of the dtypes that may occur.

    Raises:
        ValueError: with what was found and what was expected, as a clause that follows the name of the file.
    """
    header, num_value_bytes = _split(data)
    if len(header) > MAX_TENSORS:
        raise ValueError(f"holds {len(header)} tensors; expected at most {MAX_TENSORS}")
    spans = sorted(_span(name, record, item_sizes) for name, record in header.items())
    end = 0
    for begin, next_end, name in spans:
        if begin != end:
            fault = "overlap those before them" if begin < end else "leave a gap before them"
            raise ValueError(f"has values of {shown(name)} at byte {begin} that {fault}; expected them at {end}")
        end = next_end
    if end != num_value_bytes:
        raise ValueError(f"describes {end} bytes of values, but holds {num_value_bytes}")


def name_fault(name: str) -> str | None:
    """Why a text cannot be the name of a tensor, as a clause; None where it can."""
    if name in ("", _METADATA):
        return f"{name!r}; expected a non-empty text other than {_METADATA!r}"
    if len(name) > MAX_NAME_LENGTH:
        return f"a name of {len(name)} characters; expected at most {MAX_NAME_LENGTH}"
    if not is_utf8(name):
        return f"{name!r}, half a surrogate pair; expected a non-empty text that UTF-8 can write"
    return None


def shape_fault(shape: tuple[int, ...], item_size: int) -> str | None:
    """Why a tensor cannot have a shape, as a clause; None where it can."""
    if len(shape) > MAX_DIMENSIONS:
        return f"{len(shape)} dimensions; expected at most {MAX_DIMENSIONS}"
    if math.prod(size or 1 for size in shape) * item_size > _LARGEST_SIZE:  # also of a tensor without values
        return f"the shape {list(shape)}; expected one whose sizes multiply to less than 2^63 bytes"
    return None


def _split(data: bytes) -> tuple[dict[str, Json], int]:
    """The header, and how many bytes follow it."""
    if len(data) < _LENGTH_BYTES:
        raise ValueError(f"has {len(data)} bytes; expected at least the {_LENGTH_BYTES} that tell the header's length")
    length, present = int.from_bytes(data[:_LENGTH_BYTES], "little"), len(data) - _LENGTH_BYTES
    if length > present:
        raise ValueError(f"announces a header of {length} bytes, but only {present} follow")
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"has a header of {length} bytes; expected at most {MAX_HEADER_BYTES}")
    if length % _ALIGNMENT:
        raise ValueError(f"has a header of {length} bytes; expected a multiple of {_ALIGNMENT}, filled with spaces")
    text = data[_LENGTH_BYTES : _LENGTH_BYTES + length]
    if not text.startswith(b"{"):
        raise ValueError(f"has a header that begins with {text[:1]!r}; expected a JSON object")
    try:
        header: dict[str, Json] = parse(text)
    except ValueError as error:
        raise ValueError(f"has a header that {error}") from error
    return header, present - length


def _span(name: str, record: Json, item_sizes: Mapping[str, int]) -> tuple[int, int, str]:
    """Where the values of a tensor begin and end, counted from the end of the header."""
    if name == _METADATA:
        raise ValueError(f"has a header with {_METADATA!r}; expected none, for nothing would cover what it says")
    if fault := name_fault(name):
        raise ValueError(f"names a tensor {fault}")
    if not isinstance(record, dict) or set(record) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"describes {shown(name)} otherwise than by exactly dtype, shape and data_offsets")
    dtype, shape, offsets = record["dtype"], record["shape"], record["data_offsets"]
    if not isinstance(dtype, str) or dtype not in item_sizes:
        raise ValueError(f"gives {shown(name)} the dtype {shown(dtype)}; expected one of {', '.join(item_sizes)}")
    for what, numbers in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(numbers, list) or not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError(f"gives {shown(name)} the {what} {shown(numbers)}; expected a list of whole numbers >= 0")
    if fault := shape_fault(tuple(shape), item_sizes[dtype]):
        raise ValueError(f"gives {shown(name)} {fault}")
    if len(offsets) != 2:
        raise ValueError(f"gives {shown(name)} {len(offsets)} data_offsets; expected two, begin and end")
    begin, end = offsets
    expected = math.prod(shape) * item_sizes[dtype]
    if end - begin != expected:
        raise ValueError(
            f"gives {shown(name)} the bytes from {begin} to {end}; expected {expected} of them for {dtype} {shape}"
        )
    if begin % item_sizes[dtype]:
        raise ValueError(f"has values of {shown(name)} at byte {begin}; expected a multiple of {item_sizes[dtype]}")
    return begin, end, name
