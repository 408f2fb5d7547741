"""Tensor files made to do harm: each is refused before a tensor is made of it, and told in a sentence.

Every file here agrees with its manifest, so that only the checks of what it says stand in its way.
"""

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from typing import Any

import pytest
import torch
from safetensors.torch import save

from tests.zoo_store.hostile.intruder import forge, put, refused, tensor_file
from zoo_store import TensorError, Zoo, ZooEntry
from zoo_store.format.tensors import decode

FLOAT = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


def one(**changes: Any) -> bytes:
    """A file of one float, its record changed."""
    return tensor_file({"x": FLOAT | changes}, b"\0" * 4)


def two(first: list[int], second: list[int], num_bytes: int) -> bytes:
    """A file of two tensors of bytes, at any offsets."""
    records = {
        name: {"dtype": "U8", "shape": [end - begin], "data_offsets": [begin, end]}
        for name, (begin, end) in (("a", first), ("b", second))
    }
    return tensor_file(records, b"\0" * num_bytes)


def zipped_pickle() -> bytes:
    """As `torch.save` wraps one."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": [1.0]}))
    return file.getvalue()


def with_float(value: float) -> bytes:
    return tensor_file({"x": FLOAT}, struct.pack("<f", value))


CASES: dict[str, tuple[bytes, str]] = {
    # the length of the header
    "nothing": (b"", "has 0 bytes; expected at least the 8 that tell the header's length"),
    "less than a length": (b"\x01\x02", "has 2 bytes; expected at least the 8"),
    "a pickle": (pickle.dumps({"weight": [1.0]}), r"announces a header of \d+ bytes, but only \d+ follow"),
    "a zipped pickle": (zipped_pickle(), r"announces a header of \d+ bytes, but only \d+ follow"),
    "2^63 bytes of header": (struct.pack("<Q", 2**63) + b"{}", f"announces a header of {2**63} bytes, but only 2"),
    "2^64 - 1 bytes of header": (b"\xff" * 16, f"announces a header of {2**64 - 1} bytes, but only 8 follow"),
    "one byte too many": (struct.pack("<Q", 9) + b"{}      ", "announces a header of 9 bytes, but only 8 follow"),
    "a header beyond all need": (tensor_file(b"{" + b" " * (4 << 20) + b"}"), "expected at most 4194304"),
    "no header": (struct.pack("<Q", 0), r"has a header that begins with b''; expected a JSON object"),
    "an odd length": (tensor_file(b"{}", pad=False), "has a header of 2 bytes; expected a multiple of 8"),
    # the text of the header
    "a list": (tensor_file(b"[]"), r"has a header that begins with b'\['; expected a JSON object"),
    "a byte order mark": (tensor_file(b"\xef\xbb\xbf{}"), r"begins with b'\\xef'; expected a JSON object"),
    "space before it": (tensor_file(b" {}"), r"begins with b' '; expected a JSON object"),
    "no JSON": (tensor_file(b"{" * 1000), "has a header that is not JSON in UTF-8"),
    "two objects": (tensor_file(b"{}{}"), "has a header that is not JSON in UTF-8"),
    "no UTF-8": (tensor_file(b'{"\xff":{}}'), "has a header that is not JSON in UTF-8"),
    "a name twice": (tensor_file(b'{"x":{},"x":{}}'), "has a header that holds the key 'x' more than once"),
    "a key twice": (
        tensor_file(b'{"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', b"\0" * 4),
        "has a header that holds the key 'dtype' more than once",
    ),
    "deep nesting": (tensor_file(b'{"x":' + b"[" * 100_000), "has a header that is nested deeper than 64 levels"),
    "deep objects": (tensor_file(b'{"x":' * 90 + b"1" + b"}" * 90), "is nested deeper than 64 levels"),
    "NaN in the header": (tensor_file(b'{"x":NaN}'), "has a header that holds NaN, which is not JSON"),
    # names and records
    "metadata": (tensor_file({"__metadata__": {"format": "pt"}}), "has a header with '__metadata__'; expected none"),
    "metadata that runs": (tensor_file({"__metadata__": {"x": "cos\nsystem\n"}}), "has a header with '__metadata__'"),
    "no name": (tensor_file({"": FLOAT}, b"\0" * 4), "names a tensor ''; expected a non-empty text"),
    "half a surrogate pair": (tensor_file(rb'{"\ud800":{}}'), "holds half a surrogate pair"),
    "an endless name": (tensor_file({"x" * 1025: FLOAT}, b"\0" * 4), "names a tensor a name of 1025 characters"),
    "a record that is a number": (tensor_file({"x": 1}), "describes 'x' otherwise than by exactly dtype, shape and"),
    "an empty record": (tensor_file({"x": {}}), "describes 'x' otherwise than by exactly dtype, shape and"),
    "a key more": (one(pickle="cos"), "describes 'x' otherwise than by exactly dtype, shape and data_offsets"),
    "unknown dtype": (one(dtype="F4"), "gives 'x' the dtype 'F4'; expected one of F64, F32"),
    "complex dtype": (one(dtype="C64"), "gives 'x' the dtype 'C64'; expected one of"),
    "quantised dtype": (one(dtype="F8_E4M3"), "gives 'x' the dtype 'F8_E4M3'; expected one of"),
    "unsigned dtype": (one(dtype="U64"), "gives 'x' the dtype 'U64'; expected one of"),
    "a dtype in lower case": (one(dtype="f32"), "gives 'x' the dtype 'f32'; expected one of"),
    "a dtype that is a list": (one(dtype=["F32"]), r"gives 'x' the dtype \['F32'\]; expected one of"),
    "an endless dtype": (one(dtype="F" * 10**5), r"gives 'x' the dtype 'F+\.\.\.; expected one of"),
    "another dtype of the same size": (one(dtype="I32"), "holds content with the digest"),
    # shapes
    "a negative size": (one(shape=[-1]), r"gives 'x' the shape \[-1\]; expected a list of whole numbers >= 0"),
    "two negative sizes": (one(shape=[-1, -1]), r"gives 'x' the shape \[-1, -1\]; expected a list of whole"),
    "a size that is no whole number": (one(shape=[1.0]), r"gives 'x' the shape \[1\.0\]; expected a list of whole"),
    "a size that is a truth": (one(shape=[True]), r"gives 'x' the shape \[True\]; expected a list of whole"),
    "a size that is a text": (one(shape=["1"]), r"gives 'x' the shape \['1'\]; expected a list of whole"),
    "no list of sizes": (one(shape=1), "gives 'x' the shape 1; expected a list of whole numbers"),
    "a huge shape": (one(shape=[2**31, 2**31]), r"gives 'x' the shape \[2147483648, 2147483648\]; expected one whose"),
    "sizes that overflow to 1": (one(shape=[2**32 + 1, 2**32 - 1]), "expected one whose sizes multiply to less than"),
    "sizes that overflow to 0": (one(shape=[2**32, 2**32]), "expected one whose sizes multiply to less than"),
    "nothing, of a huge shape": (one(shape=[0, 2**62, 2**62], data_offsets=[0, 0]), "whose sizes multiply to less"),
    "a size beyond 64 bits": (one(shape=[10**30]), "has a header that holds a whole number of 31 digits"),
    "a number of 5000 digits": (tensor_file(b'{"x":' + b"1" * 5000 + b"}"), "a whole number of 5000 digits"),
    "33 dimensions": (one(shape=[1] * 33), "gives 'x' 33 dimensions; expected at most 32"),
    "a hundred thousand dimensions": (one(shape=[1] * 10**5), "gives 'x' 100000 dimensions; expected at most 32"),
    "a shape that is too large": (one(shape=[2]), r"gives 'x' the bytes from 0 to 4; expected 8 of them for F32 \[2\]"),
    # offsets
    "offsets that are negative": (one(data_offsets=[-4, 0]), r"the data_offsets \[-4, 0\]; expected a list of whole"),
    "offsets the wrong way round": (one(data_offsets=[4, 0]), "gives 'x' the bytes from 4 to 0; expected 4 of them"),
    "three offsets": (one(data_offsets=[0, 2, 4]), "gives 'x' 3 data_offsets; expected two, begin and end"),
    "no offsets": (one(data_offsets=[]), "gives 'x' 0 data_offsets; expected two, begin and end"),
    "offsets beyond the end": (
        tensor_file({"x": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}}, b"\0" * 4),
        "describes 400 bytes of values, but holds 4",
    ),
    "huge offsets": (one(data_offsets=[2**63, 2**63 + 4]), f"has values of 'x' at byte {2**63} that leave a gap"),
    "bytes that nothing describes": (one() + b"more", "describes 4 bytes of values, but holds 8"),
    "bytes without tensors": (tensor_file(b"{}", b"more"), "describes 0 bytes of values, but holds 4"),
    "a gap": (two([0, 2], [3, 4], 4), "has values of 'b' at byte 3 that leave a gap before them; expected them at 2"),
    "a gap at the beginning": (two([1, 2], [2, 4], 4), "has values of 'a' at byte 1 that leave a gap"),
    "an overlap": (two([0, 3], [2, 4], 4), "has values of 'b' at byte 2 that overlap those before them"),
    "the same bytes twice": (two([0, 4], [0, 4], 4), "has values of 'b' at byte 0 that overlap those before them"),
    "nothing within something": (two([0, 4], [2, 2], 4), "has values of .b. at byte 2 that overlap those before them"),
    "values off their bounds": (
        tensor_file(
            {
                "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                "b": {"dtype": "F32", "shape": [1], "data_offsets": [1, 5]},
            },
            b"\0" * 5,
        ),
        "has values of 'b' at byte 1; expected a multiple of 4",
    ),
    # values
    "not a number": (with_float(float("nan")), r"\['x'\] holds 1 value\(s\) of 1 that are NaN or infinite"),
    "infinity": (with_float(float("-inf")), r"\['x'\] holds 1 value\(s\) of 1 that are NaN or infinite"),
    "half precision not a number": (
        tensor_file({"x": {"dtype": "F16", "shape": [2], "data_offsets": [0, 4]}}, b"\0\0\x01\x7e"),
        r"\['x'\] holds 1 value\(s\) of 2 that are NaN or infinite",
    ),
    "a boolean that is 2": (
        tensor_file({"x": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}, b"\0\2"),
        r"\['x'\] holds booleans that are neither the byte 0 nor the byte 1",
    ),
    "other tensors": (
        save({"stem.weight": torch.zeros(1)}),
        r"holds content with the digest \w+; the entry's id stands",
    ),
}


@pytest.mark.parametrize("file", ["supernet.safetensors", "sketch.safetensors"])
@pytest.mark.parametrize("case", CASES)
def test_a_tensor_file_that_breaks_a_rule_is_refused(zoo: Zoo, entry_id: str, case: str, file: str) -> None:
    data, sentence = CASES[case]
    put(zoo.path / entry_id, file, data)
    refused(zoo, entry_id, file, sentence)


def test_more_tensors_than_any_supernet_has_are_refused() -> None:
    empty = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    many = json.dumps({f"{number:x}": empty for number in range(65_537)}, separators=(",", ":"))
    with pytest.raises(TensorError, match="holds 65537 tensors; expected at most 65536"):
        decode(tensor_file(many.encode()), "state")


@pytest.mark.parametrize(
    ("tensors", "sentence"),
    [
        ({"x" * 1025: torch.ones(1)}, "state holds a tensor under a name of 1025 characters; expected at most 1024"),
        ({"x": torch.ones([1] * 33)}, r"state\['x'\] has 33 dimensions; expected at most 32: reshape"),
    ],
)
def test_what_could_not_be_read_again_is_not_written(zoo: Zoo, tensors: dict[str, torch.Tensor], sentence: str) -> None:
    with pytest.raises(TensorError, match=sentence):
        zoo.add(ZooEntry(state=tensors, sketch={}, card={}))
    assert len(zoo) == 0


def test_a_header_that_grows_too_large_is_told_when_adding(zoo: Zoo) -> None:
    nothing = torch.zeros(0)
    tensors = {f"{number:04d}{'x' * 1000}": nothing for number in range(4200)}
    with pytest.raises(
        TensorError, match=r"state cannot be kept: its file has a header of .*; expected at most 4194304"
    ):
        zoo.add(ZooEntry(state=tensors, sketch={}, card={}))
    assert len(zoo) == 0


def test_the_largest_names_and_dimensions_that_are_written_are_read(zoo: Zoo) -> None:
    state = {"\u202e\0\n" + "x" * 1021: torch.ones([1] * 32), "nothing": torch.zeros(0, 2**40)}
    entry_id = zoo.add(ZooEntry(state=state, sketch={}, card={}))
    read = zoo.get(entry_id).state
    assert {name: tensor.shape for name, tensor in read.items()} == {n: t.shape for n, t in state.items()}


def test_a_forged_entry_whose_numbers_are_not_finite_is_refused_though_it_is_true_to_its_id(zoo: Zoo) -> None:
    entry_id = forge(zoo, {"weight": torch.tensor([float("inf")])}, {"schema_version": 1})
    refused(zoo, entry_id, "supernet.safetensors", r"state\['weight'\] holds 1 value")


def test_a_forged_entry_without_tensors_is_refused(zoo: Zoo) -> None:
    entry_id = forge(zoo, {}, {"schema_version": 1})
    refused(zoo, entry_id, "supernet.safetensors", "holds no tensors; expected those of a supernet")


def test_an_honest_forgery_is_as_good_as_an_entry_that_was_added(zoo: Zoo) -> None:
    entry_id = forge(zoo, {"weight": torch.ones(1)}, {"schema_version": 1})
    assert zoo.get(entry_id).state["weight"] == 1
    assert zoo.verify() == []


@pytest.mark.parametrize(
    "data",
    [
        tensor_file(b'{"x":' + b"[" * (1 << 19) + b"]" * (1 << 19) + b"}"),
        tensor_file(b'{"x":[' + b"[]," * 30_000 + b"[]]}"),
        tensor_file(b'{"x":{"dtype":"U8","shape":[' + b"1," * 50_000 + b'1],"data_offsets":[0,1]}}', b"\0"),
        tensor_file({"x": {"dtype": "U8", "shape": [1 << 50], "data_offsets": [0, 1 << 50]}}, b"\0"),
        tensor_file({"x": {"dtype": "U8", "shape": [0, 1 << 40], "data_offsets": [0, 0]}}),
    ],
    ids=["deep", "wide", "long shape", "claimed bytes", "claimed sizes"],
)
def test_a_bomb_costs_no_more_than_a_small_multiple_of_its_file(data: bytes) -> None:
    # Oracle: the interpreter's own count of what it allocates. A list of Python takes 64 bytes where the file has 3.
    tracemalloc.start()
    try:
        decode(data, "state")
    except TensorError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 64 * len(data) + (1 << 20)
