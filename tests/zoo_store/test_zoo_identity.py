"""The id of an entry is its content: the same content is one entry, on any day and any machine."""

import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from zoo_store import Zoo, ZooEntry, content_id

EntryMaker = Callable[..., ZooEntry]
Array = np.ndarray[Any, Any]

# Entries are out in the world under such names: a change of this value makes every zoo unreadable.
ID_OF_THE_EXAMPLE = "312e32009bb4f4b0141d833b55a6f26f2a037b03a551611c6672ab5440d37615"


def documented_id(state: dict[str, Array], sketch: dict[str, Array], lasting_card: dict[str, Any]) -> str:
    """Oracle: docs/zoo-format.md, followed with NumPy, json and hashlib."""

    def json_bytes(value: object) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    def tensors(arrays: dict[str, Array]) -> str:
        names = {"f4": "F32", "f8": "F64", "i8": "I64", "b1": "BOOL", "u1": "U8", "f2": "F16"}
        text = b"zoo tensors 1\n"
        for name, array in sorted(arrays.items()):
            header = json_bytes([name, names[array.dtype.str[1:]], list(array.shape)])
            text += struct.pack("<Q", len(header)) + header + array.astype(array.dtype.newbyteorder("<")).tobytes()
        return hashlib.sha256(text).hexdigest()

    content = {
        "card": hashlib.sha256(b"zoo card 1\n" + json_bytes(lasting_card)).hexdigest(),
        "sketch": tensors(sketch),
        "state": tensors(state),
    }
    return hashlib.sha256(b"zoo entry 1\n" + json_bytes(content)).hexdigest()


STATE: dict[str, Array] = {
    "weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "bias": np.array(0.1),
    "half": np.array([0.5, -0.0], dtype=np.float16),
    "steps": np.array(12),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 4), dtype=np.float32),
}
SKETCH: dict[str, Array] = {"labels": np.arange(3), "pixels": np.arange(4, dtype=np.uint8)}
CARD = {"schema_version": 1, "name": "Zürich", "seed": 3, "metrics": {"b": 0.1, "a": 1.0, "tiny": 1e-7}}


def example(**card: Any) -> ZooEntry:
    return ZooEntry(
        state={name: torch.from_numpy(array) for name, array in STATE.items()},
        sketch={name: torch.from_numpy(array) for name, array in SKETCH.items()},
        card=CARD | card,
    )


def test_the_id_is_the_documented_hash_of_the_content() -> None:
    assert content_id(example(created="2026-01-01T00:00:00Z")) == documented_id(STATE, SKETCH, CARD)


def test_the_id_of_a_fixed_content_never_changes() -> None:
    assert content_id(example()) == ID_OF_THE_EXAMPLE


def test_the_id_that_add_returns_is_the_content_id(zoo: Zoo, make_entry: EntryMaker) -> None:
    assert zoo.add(make_entry()) == content_id(make_entry())


def test_the_same_content_twice_is_one_entry(zoo: Zoo, make_entry: EntryMaker) -> None:
    first = zoo.add(make_entry())
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in (zoo.path / first).iterdir()}
    second = zoo.add(make_entry())

    assert first == second
    assert list(zoo) == [first]
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in (zoo.path / first).iterdir()} == before


@pytest.mark.parametrize(
    "volatile",
    [
        {"created": "1999-12-31T23:59:59Z"},
        {"versions": {"torch": "3.0"}},
        {"timings": {"pretrain_seconds": 1}},
    ],
)
def test_another_run_of_the_same_work_is_the_same_entry(
    zoo: Zoo, make_entry: EntryMaker, volatile: dict[str, Any]
) -> None:
    first = zoo.add(make_entry())

    assert zoo.add(make_entry(**volatile)) == first
    assert zoo.card(first) == make_entry().card  # the first one stays


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"metrics": {"validation_accuracy": 0.9}},
        {"something": "else"},
        {"channels": None},
        {"classes": ["one", "zero", "two"]},
    ],
)
def test_another_lasting_card_is_another_entry(make_entry: EntryMaker, change: dict[str, Any]) -> None:
    assert content_id(make_entry(**change)) != content_id(make_entry())


def test_every_detail_of_a_tensor_counts() -> None:
    def id_of(tensor: torch.Tensor, name: str = "x") -> str:
        return content_id(ZooEntry(state={name: tensor}, sketch={}, card={}))

    zeros = torch.zeros(4)
    variants = [
        id_of(zeros),
        id_of(zeros, name="y"),
        id_of(zeros.reshape(2, 2)),
        id_of(-zeros),  # the sign of zero is a bit too
        id_of(torch.zeros(4, dtype=torch.int32)),  # the same bytes as float32
        id_of(torch.zeros(2, dtype=torch.float64)),
        content_id(ZooEntry(state={"x": zeros}, sketch={"x": zeros}, card={})),
    ]
    assert len(set(variants)) == len(variants)


def test_order_strides_and_gradients_do_not_count() -> None:
    weight = torch.arange(6.0).reshape(2, 3)
    plain = ZooEntry(state={"a": weight, "b": torch.ones(1)}, sketch={}, card={"x": 1, "y": 2})
    other = ZooEntry(
        state={"b": torch.nn.Parameter(torch.ones(1)), "a": weight.t().contiguous().t()},
        sketch={},
        card={"y": 2, "x": 1},
    )
    assert content_id(plain) == content_id(other)
