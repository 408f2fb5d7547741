"""What a filter fits, and what it says where nothing does."""

from typing import Any

import pytest

from zoo_store import EntryFilter, FilterError, ListedEntry
from zoo_store.listing.filters import what_filters_see

CARD: dict[str, Any] = {
    "schema_version": 1,
    "name": "Plankton, small",
    "kind": "mixture",
    "space": {"name": "s1", "primitives": ["skip_connect"]},
    "channels": 16,
    "num_cells": 8,
    "image_size": 32,
    "tags": ["Plankton", "grey [8 bit]"],
    "data": [{"name": "a", "licence": "CC0 1.0"}, {"name": "b", "licence": "CC BY 4.0 (as stated)"}],
    "metrics": {"test_accuracy": 0.5},
}
SIZE = 1000


@pytest.mark.parametrize(
    ("given", "fits"),  # worked out by hand
    [
        ({}, True),
        ({"space": "s1"}, True),
        ({"space": "S1"}, False),
        ({"channels": 16}, True),
        ({"channels": 8}, False),
        ({"num_cells": 8, "channels": 16, "space": "s1", "kind": "mixture", "image_size": 32}, True),
        ({"num_cells": 8, "channels": 16, "space": "s1", "kind": "single"}, False),
        ({"image_size": 16}, False),
        ({"max_bytes": 1000}, True),
        ({"max_bytes": 999}, False),
        ({"name": "plankton, SMALL"}, True),
        ({"name": "plankton"}, False),
        ({"name": "plankton*"}, True),
        ({"tags": ("plankton",)}, True),
        ({"tags": ("plankton", "GREY [8 bit]")}, True),
        ({"tags": ("plankton", "fish")}, False),
        ({"tags": ("plan?ton",)}, True),
        ({"tags": ("grey*",)}, True),
        ({"licences": ("cc0 1.0",)}, False),  # the other dataset has another licence
        ({"licences": ("cc0 1.0", "CC BY 4.0*")}, True),
        ({"licences": ("*",)}, True),
    ],
)
def test_an_entry_fits_where_all_that_is_asked_for_holds(given: dict[str, Any], fits: bool) -> None:
    wanted = EntryFilter(**given)
    assert wanted.fits(CARD, SIZE) is fits
    assert wanted.fits(what_filters_see(CARD), SIZE) is fits


@pytest.mark.parametrize(
    "given",
    [
        {"space": "s1"},
        {"channels": 16},
        {"image_size": 32},
        {"kind": "single"},
        {"licences": ("*",)},
        {"tags": ("*",)},
        {"name": "*"},
    ],
)
@pytest.mark.parametrize(
    "card",
    [
        {"schema_version": 1},
        dict.fromkeys(("space", "channels", "image_size", "kind", "data", "tags", "name")),
        {"data": [], "tags": [], "image_size": [32, 16]},
        {"data": [{"licence": "CC0"}, {"name": "not recorded"}]},
        {"data": [{"licence": ["CC0"]}]},
    ],
)
def test_what_a_card_does_not_record_fits_nothing(card: dict[str, Any], given: dict[str, Any]) -> None:
    assert not EntryFilter(**given).fits(card, SIZE)
    assert EntryFilter(max_bytes=SIZE).fits(card, SIZE)


def test_a_space_by_its_name_one_data_card_and_square_sizes_are_what_they_stand_for() -> None:
    card = {"space": "s2", "data": {"licence": "CC0"}, "image_size": [64, 64]}
    assert EntryFilter(space="s2", licences=("cc0",), image_size=64).fits(card, SIZE)


def test_a_filter_names_everything_that_it_cannot_look_for() -> None:
    with pytest.raises(
        FilterError,
        match=r"the zoo cannot be searched so: space is ''; expected the name .*; channels is 0; expected a whole "
        r"number above 0; kind is 'both'; expected one of single, mixture; licences is 'CC0'; expected a tuple of "
        r"texts\. ",
    ):
        EntryFilter(space="", channels=0, kind="both", licences="CC0", tags=("x",))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [True, 8.0, "8", -1])
def test_numbers_of_a_filter_are_whole_and_above_0(value: Any) -> None:
    for key in ("channels", "num_cells", "image_size", "max_bytes"):
        with pytest.raises(FilterError, match=rf"{key} is {value!r}; expected a whole number"):
            EntryFilter(**{key: value})


def test_where_nothing_fits_the_entries_are_told_from_the_filters_side() -> None:
    other = {**CARD, "space": "s2", "image_size": [32, 48], "channels": None, "tags": None}
    entries = {"0": ListedEntry(CARD, 1000), "1": ListedEntry(other, 70), "2": ListedEntry(None, 0, "is damaged")}

    wanted = EntryFilter(space="s9", channels=16, image_size=64, max_bytes=70, tags=("fish", "grey*"))
    assert wanted.why_nothing_fits(entries) == (
        "no entry fits: 's9' as space fits 0 of 2 (there are s1, s2); 16 as channels fits 1 of 2 (there is 16); "
        "64 as image_size fits 0 of 2 (there are 32, 32 x 48); 70 as max_bytes fits 1 of 2 (there are 70, 1000); "
        "'fish' and 'grey*' as tags fits 0 of 2 (there are Plankton, grey [8 bit])"
    )
    assert EntryFilter(kind="single").why_nothing_fits({"2": entries["2"]}) == "the zoo holds no entry that can be read"
    nameless = {str(n): ListedEntry({"num_cells": n}, 1) for n in range(1, 11)}
    assert EntryFilter(name="x", num_cells=11).why_nothing_fits(nameless) == (
        "no entry fits: 11 as num_cells fits 0 of 10 (there are 1, 2, 3, 4, 5, 6, 7, 8 and 2 more); "
        "'x' as name fits 0 of 10, none records it"
    )
