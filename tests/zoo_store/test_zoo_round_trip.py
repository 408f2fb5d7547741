"""What goes in comes out, bit for bit, and the caller's tensors stay as they are."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from zoo_store import (
    AmbiguousIdError,
    EntryNotFoundError,
    InvalidIdError,
    TensorError,
    Zoo,
    ZooEntry,
    content_id,
)

EntryMaker = Callable[..., ZooEntry]


def bits(tensor: Tensor) -> tuple[torch.dtype, tuple[int, ...], bytes]:
    return (
        tensor.dtype,
        tuple(tensor.shape),
        tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes(),
    )


KEPT = {
    "float64": torch.tensor([1 / 3, -0.0, 5e-324], dtype=torch.float64),
    "float32": torch.tensor([[1 / 3, -0.0], [1e-45, 3.4e38]]),
    "float16": torch.tensor([1 / 3, 65504], dtype=torch.float16),
    "bfloat16": torch.tensor([1 / 3, 3e38], dtype=torch.bfloat16),
    "int64": torch.tensor([-(2**63), 2**63 - 1]),
    "int32": torch.tensor([-(2**31)], dtype=torch.int32),
    "int16": torch.tensor([-(2**15)], dtype=torch.int16),
    "int8": torch.tensor([-128], dtype=torch.int8),
    "uint8": torch.arange(256, dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "scalar": torch.tensor(2.5),
    "scalar bool": torch.tensor(True),
    "empty": torch.empty(0, 3),
    "ünïcode/name.with 'marks'": torch.tensor([1]),
}


def test_every_kept_dtype_and_shape_comes_back_bit_for_bit(zoo: Zoo) -> None:
    found = zoo.get(zoo.add(ZooEntry(state=KEPT, sketch=KEPT, card={})))

    expected = {name: bits(tensor) for name, tensor in KEPT.items()}
    assert {name: bits(tensor) for name, tensor in found.state.items()} == expected
    assert {name: bits(tensor) for name, tensor in found.sketch.items()} == expected


def test_the_card_comes_back_with_its_volatile_keys_and_its_order(zoo: Zoo, make_entry: EntryMaker) -> None:
    entry = make_entry(extra={"anything": [1, 2.5, None, True, "ü"]})
    card = zoo.get(zoo.add(entry)).card

    assert card == entry.card
    assert list(card) == list(entry.card)
    assert card["created"] == "2026-01-31T12:00:00+00:00"


def test_the_stored_files_open_with_safetensors_alone(entry_folder: Path, make_entry: EntryMaker) -> None:
    # Oracle: the safetensors library, without this package.
    state = load_file(entry_folder / "supernet.safetensors")
    sketch = load_file(entry_folder / "sketch.safetensors")

    entry = make_entry()
    assert {name: bits(tensor) for name, tensor in state.items()} == {n: bits(t) for n, t in entry.state.items()}
    assert {name: bits(tensor) for name, tensor in sketch.items()} == {n: bits(t) for n, t in entry.sketch.items()}


def test_an_entry_folder_holds_exactly_the_files_of_the_format(entry_folder: Path) -> None:
    assert sorted(os.listdir(entry_folder)) == [
        "README.md",
        "card.json",
        "manifest.json",
        "sketch.safetensors",
        "supernet.safetensors",
    ]


def test_shared_strided_and_trained_tensors_are_kept_and_left_alone(zoo: Zoo) -> None:
    base = torch.arange(12.0).reshape(3, 4)
    trained = torch.nn.Parameter(torch.ones(2))
    trained.grad = torch.full((2,), 7.0)
    state = {"base": base, "view": base[1], "transposed": base.t(), "expanded": base[:, :1].expand(3, 5), "w": trained}
    found = zoo.get(zoo.add(ZooEntry(state=state, sketch={}, card={}))).state

    assert {name: bits(tensor) for name, tensor in found.items()} == {n: bits(t) for n, t in state.items()}
    assert state["view"].data_ptr() == base[1].data_ptr()
    assert not state["transposed"].is_contiguous()
    assert trained.requires_grad
    assert torch.equal(trained.grad, torch.full((2,), 7.0))


def test_what_comes_back_is_the_readers_own(zoo: Zoo, entry_id: str) -> None:
    mine = zoo.get(entry_id)
    mine.state["stem.weight"].zero_()

    assert zoo.get(entry_id).state["stem.weight"].abs().sum() > 0
    assert zoo.verify() == []


def test_changing_the_callers_mapping_later_does_not_change_the_entry() -> None:
    state, card = {"weight": torch.ones(1)}, {"metrics": {"accuracy": 0.5}}
    entry = ZooEntry(state=state, sketch={}, card=card)
    state["other"] = torch.ones(1)
    card["metrics"]["accuracy"] = 0.9

    assert list(entry.state) == ["weight"]
    assert entry.card["metrics"] == {"accuracy": 0.5}


def test_sketch_and_card_can_be_read_without_the_supernet(
    zoo: Zoo, entry_id: str, entry_folder: Path, make_entry: EntryMaker
) -> None:
    (entry_folder / "supernet.safetensors").unlink()  # proof that it is not needed

    assert bits(zoo.sketch(entry_id)["features"]) == bits(make_entry().sketch["features"])
    assert zoo.card(entry_id) == make_entry().card
    assert zoo.cards() == {entry_id: make_entry().card}


def test_a_unique_prefix_of_six_characters_stands_for_an_id(zoo: Zoo, entry_id: str) -> None:
    assert zoo.resolve(entry_id[:6]) == entry_id
    assert zoo.get(entry_id[:6]).card["seed"] == 0
    assert zoo.card(entry_id[:12])["seed"] == 0
    assert entry_id in zoo
    assert entry_id[:12] not in zoo  # membership asks for full ids, as iteration gives them


def test_a_prefix_that_fits_two_entries_is_refused(zoo: Zoo, entry_id: str) -> None:
    (zoo.path / (entry_id[:8] + "0" * 56)).mkdir()
    with pytest.raises(AmbiguousIdError, match=rf"'{entry_id[:6]}' fits 2 entries .*give more characters"):
        zoo.get(entry_id[:6])


def test_an_unknown_id_is_refused(zoo: Zoo, entry_id: str) -> None:
    with pytest.raises(EntryNotFoundError, match=r"^zoo '.*' holds no entry 'ffffff' among its 1: `supernet-tl"):
        zoo.get("ffffff")
    with pytest.raises(KeyError):
        zoo.remove("f" * 64)


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "abc",
        "../../etc/passwd",
        "..",
        "/etc",
        "a" * 65,
        "A" * 64,
        "abcdef/..",
        "abcdef\\..",
        "abcdef\n",
        "*" * 6,
        ".",
    ],
)
def test_what_is_no_id_is_refused_before_the_disk_is_touched(zoo: Zoo, entry_id: str, hostile: str) -> None:
    for method in (zoo.get, zoo.card, zoo.sketch, zoo.remove):
        with pytest.raises(InvalidIdError, match="is not the id of a zoo entry; expected 64 characters"):
            method(hostile)
    assert hostile not in zoo
    assert list(zoo) == [entry_id]


def test_a_removed_entry_is_gone_and_can_be_added_again(zoo: Zoo, entry_id: str, make_entry: EntryMaker) -> None:
    other = zoo.add(make_entry(seed=1))
    zoo.remove(entry_id[:10])

    assert list(zoo) == [other]
    assert [name for name in os.listdir(zoo.path) if name != ".lock"] == [other]
    assert zoo.add(make_entry()) == entry_id


@pytest.mark.parametrize("part", ["state", "sketch"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite_are_refused(zoo: Zoo, part: str, bad: float, dtype: torch.dtype) -> None:
    good = {"weight": torch.ones(3)}
    parts = {"state": good, "sketch": good} | {part: {"cell.0": torch.tensor([1.0, bad], dtype=dtype)}}
    with pytest.raises(TensorError, match=rf"{part}\['cell\.0'\] holds 1 value\(s\) of 2 that are NaN or infinite"):
        zoo.add(ZooEntry(card={}, **parts))
    assert len(zoo) == 0


@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        (torch.zeros(2, dtype=torch.complex64), r"state\['x'\] has dtype complex64; expected one of float64, float32"),
        (torch.zeros(2, device="meta"), r"state\['x'\] is on the meta device; expected a dense tensor"),
        (torch.eye(2).to_sparse(), r"state\['x'\] has the layout torch\.sparse_coo; expected a dense tensor"),
    ],
)
def test_tensors_that_cannot_be_kept_are_refused(zoo: Zoo, tensor: Tensor, sentence: str) -> None:
    entry = ZooEntry(state={"x": tensor}, sketch={}, card={})
    with pytest.raises(TensorError, match=sentence):
        zoo.add(entry)
    with pytest.raises(TensorError, match=sentence):
        content_id(entry)


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({}, "state is empty; expected the tensors of a supernet"),
        ([torch.ones(1)], "state is a list; expected a mapping"),
        ({"x": 1.0}, r"state\['x'\] is a float; expected a torch\.Tensor"),
        ({3: torch.ones(1)}, "state holds a tensor under 3; expected a non-empty text"),
        ({"": torch.ones(1)}, "state holds a tensor under ''; expected a non-empty text"),
        ({"__metadata__": torch.ones(1)}, "other than '__metadata__'"),
        ({"\ud800": torch.ones(1)}, "expected a non-empty text"),
    ],
)
def test_what_is_not_a_mapping_of_named_tensors_is_refused(state: dict[str, Tensor], sentence: str) -> None:
    with pytest.raises(TensorError, match=sentence):
        ZooEntry(state=state, sketch={}, card={})


def test_only_entries_are_added(zoo: Zoo) -> None:
    with pytest.raises(TypeError, match="found a dict, expected a ZooEntry"):
        zoo.add({"state": {}})  # type: ignore[arg-type]
