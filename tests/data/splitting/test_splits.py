"""Four splits by content, checked over many random image sets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats  # type: ignore[import-untyped, unused-ignore]

from supernet_tl.data import ImageProblem, ImageSet, SplitError, Splits, make_splits

MakeSet = Callable[..., ImageSet]
Labels = NDArray[np.int64]
NAMES = ("weight", "architecture", "validation", "test")


def random_labels() -> Iterator[tuple[int, Labels]]:
    """Forty label vectors with 1 to 12 classes of 4 to 60 images, in random order."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        counts = rng.integers(4, 61, size=rng.integers(1, 13))
        yield seed, rng.permutation(np.repeat(np.arange(len(counts)), counts))


def parts(splits: Splits) -> list[NDArray[np.int64]]:
    return [getattr(splits, name) for name in NAMES]


def by_content(splits: Splits, contents: list[str]) -> dict[str, str]:
    """The part of each content."""
    return {contents[index]: name for name in (*NAMES, "unused") for index in getattr(splits, name)}


def uniform(seed: int, content: str, number: int) -> float:
    """Oracle: the documented number of an image, in [0, 1), written out once more."""
    digest = hashlib.sha256(content.encode()).digest()
    drawn = hashlib.sha256(b"supernet-tl splits 2\n" + f"{seed}\n".encode() + digest).digest()
    return int.from_bytes(drawn[8 * number : 8 * number + 8], "big") / 2**64


def bounds(num_images: int, fracs: list[float], least: list[int]) -> list[tuple[int, int]]:
    """Oracle: from a quarter of a share to twice it, never below the least; too small classes give that."""
    found = []
    for frac, fewest in zip(fracs, least, strict=True):
        share = round(num_images * frac, 9)
        found.append((max(fewest, int(np.ceil(round(share / 4, 9)))), max(fewest, int(np.floor(round(2 * share, 9))))))
    return found


# What every split has.


def test_every_image_is_in_exactly_one_split_and_every_class_in_every_split(make_set: MakeSet) -> None:
    for seed, labels in random_labels():
        splits = make_splits(make_set(labels), seed)
        together = np.concatenate([*parts(splits), splits.unused])
        assert sorted(together.tolist()) == list(range(len(labels)))
        assert len(splits.unused) == 0
        assert splits.search.tolist() == sorted([*splits.weight.tolist(), *splits.architecture.tolist()])
        for indices in parts(splits):
            assert set(labels[indices].tolist()) == set(labels.tolist())


@pytest.mark.parametrize("fracs", [(0.2, 0.2), (0.3, 0.1), (0.1, 0.1)])
def test_every_class_gives_each_split_from_a_quarter_to_twice_its_share(
    fracs: tuple[float, float], make_set: MakeSet
) -> None:
    for seed, labels in random_labels():
        splits = make_splits(make_set(labels), seed, test_frac=fracs[0], validation_frac=fracs[1])
        for label in np.unique(labels):
            num_images = int((labels == label).sum())
            given = [int((labels[getattr(splits, name)] == label).sum()) for name in ("test", "validation")]
            halves = [int((labels[indices] == label).sum()) for indices in (splits.weight, splits.architecture)]
            expected = bounds(num_images, [*fracs, 1 - sum(fracs)], [1, 1, 2])
            for found, (low, high) in zip([*given, sum(halves)], expected, strict=True):
                assert low <= found <= high, (num_images, given, halves)
            for found, (low, high) in zip(halves, bounds(sum(halves), [0.5, 0.5], [1, 1]), strict=True):
                assert low <= found <= high, halves


def test_a_class_of_four_gives_one_image_to_each_split_by_any_seed(make_set: MakeSet) -> None:
    images = make_set([0] * 4 + [1] * 4)
    for seed in range(200):
        assert [len(indices) for indices in parts(make_splits(images, seed))] == [2, 2, 2, 2]


@pytest.mark.parametrize("fracs", [(0.9, 0.05), (0.05, 0.9), (0.45, 0.45), (0.01, 0.01)])
def test_extreme_fractions_leave_every_split_an_image_of_every_class(
    fracs: tuple[float, float], make_set: MakeSet
) -> None:
    for num_images in range(4, 12):
        images = make_set([0] * num_images)
        for seed in range(10):
            splits = make_splits(images, seed, test_frac=fracs[0], validation_frac=fracs[1])
            assert min(len(indices) for indices in parts(splits)) >= 1


def test_where_bounds_hold_anyway_an_image_goes_where_its_number_falls(make_set: MakeSet) -> None:
    num_moved = 0
    for seed in range(30):
        splits = make_splits(make_set(np.zeros(300)), seed)
        for content, name in by_content(splits, list(map(str, range(300)))).items():
            # Oracle: the definition; with 300 images chance does not leave the bounds in these seeds.
            place = uniform(seed, content, 0)
            half = "weight" if uniform(seed, content, 1) < 0.5 else "architecture"
            expected = "test" if place < 0.2 else "validation" if place < 0.4 else half
            num_moved += name != expected
    assert num_moved == 0


def test_images_that_must_move_are_those_nearest_the_boundary(make_set: MakeSet) -> None:
    images, contents = make_set(np.zeros(12)), list(map(str, range(12)))
    num_clipped = 0
    for seed in range(60):
        splits = make_splits(images, seed)
        numbers = np.array([uniform(seed, content, 0) for content in contents])
        # Oracle: three runs of the images sorted by their numbers, their lengths cut to the bounds one by one.
        low, high = zip(*bounds(12, [0.2, 0.2, 0.6], [1, 1, 2]), strict=True)
        below = [int((numbers < 0.2).sum()), int((numbers < 0.4).sum())]
        num_test = int(np.clip(below[0], max(low[0], 12 - high[1] - high[2]), high[0]))
        num_validation = int(np.clip(below[1] - num_test, max(low[1], 12 - num_test - high[2]), high[1]))
        order = np.argsort(numbers)
        assert splits.test.tolist() == sorted(order[:num_test].tolist())
        assert splits.validation.tolist() == sorted(order[num_test : num_test + num_validation].tolist())
        num_clipped += [num_test, num_test + num_validation] != below
    assert 5 < num_clipped < 55


def test_a_split_stays_what_it_was_on_every_platform_and_in_every_release(make_set: MakeSet) -> None:
    splits = make_splits(make_set(np.repeat([0, 1], 6)), seed=0)
    # Oracle: written down once; it is SHA-256 and comparisons of doubles, so a change here would break stored runs.
    assert {name: getattr(splits, name).tolist() for name in NAMES} == {
        "weight": [5, 9, 10],
        "architecture": [0, 3, 4, 7],
        "validation": [2, 8, 11],
        "test": [1, 6],
    }


def test_drawing_leaves_the_global_generator_alone(make_set: MakeSet) -> None:
    before = np.random.get_state(legacy=False)
    make_splits(make_set(np.repeat([0, 1], 6)), seed=0)
    assert str(np.random.get_state(legacy=False)) == str(before)


# What an image's place depends on, and what it does not.


def test_the_order_of_the_images_and_the_names_of_the_classes_change_nothing(make_set: MakeSet) -> None:
    for seed, labels in random_labels():
        order = np.random.default_rng(seed).permutation(len(labels))
        contents = [str(index) for index in order]
        first = by_content(make_splits(make_set(labels), seed), list(map(str, range(len(labels)))))
        renamed = [f"another{label}" for label in range(labels.max() + 1)]
        images = make_set(labels[order], contents, class_names=renamed)
        assert by_content(make_splits(images, seed), contents) == first


def test_what_other_classes_hold_changes_nothing(make_set: MakeSet) -> None:
    contents = [str(number) for number in range(30)]
    alone = by_content(make_splits(make_set([0] * 30, contents), 3), contents)
    more = [*contents, *(f"other {number}" for number in range(50))]
    beside = by_content(make_splits(make_set([1] * 30 + [0] * 50, more), 3), more)
    assert {content: beside[content] for content in contents} == alone


def test_files_added_to_a_class_of_reasonable_size_move_nothing_unless_the_bounds_act(make_set: MakeSet) -> None:
    num_moving, num_quiet = 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        size, added = int(rng.integers(80, 200)), int(rng.integers(1, 40))
        contents = [f"{seed}/{number}" for number in range(size + added)]
        first = by_content(make_splits(make_set([0] * size, contents[:size]), seed), contents)
        second = by_content(make_splits(make_set([0] * (size + added), contents), seed), contents)
        moved = [content for content in first if first[content] != second[content]]
        # Oracle: the definition without bounds. An image moves only if the bounds act before or after.
        drawn = {content: uniform(seed, content, 0) for content in contents}
        plain = {
            content: "test"
            if place < 0.2
            else "validation"
            if place < 0.4
            else ("weight" if uniform(seed, content, 1) < 0.5 else "architecture")
            for content, place in drawn.items()
        }
        if all(first[content] == plain[content] for content in first) and second == plain:
            num_quiet += 1
            assert moved == []
        num_moving += bool(moved)
    assert num_quiet >= 55
    assert num_moving <= 3  # chance leaves the bounds in 3 of 100 classes of 80 images, and more seldom of larger ones


def test_files_removed_from_a_large_class_move_nothing(make_set: MakeSet) -> None:
    contents = [str(number) for number in range(400)]
    whole = by_content(make_splits(make_set([0] * 400, contents), 1), contents)
    for seed in range(5):
        kept = sorted(np.random.default_rng(seed).permutation(400)[:300].tolist())
        left = [contents[index] for index in kept]
        assert by_content(make_splits(make_set([0] * 300, left), 1), left) == {name: whole[name] for name in left}


def test_the_same_seed_gives_the_same_split_and_different_seeds_independent_ones(make_set: MakeSet) -> None:
    images = make_set(np.zeros(3000))
    tables = []
    for seed in (3, 4):
        splits = make_splits(images, seed)
        part = np.zeros(3000, dtype=np.int64)
        for number, indices in enumerate(parts(splits)):
            part[indices] = number
        tables.append(part)
        again = make_splits(images, seed)
        assert all(np.array_equal(one, other) for one, other in zip(parts(splits), parts(again), strict=True))
    table = np.zeros((4, 4))
    np.add.at(table, tuple(tables), 1)
    # Oracle: the chi-square test of independence, SciPy; and the shares by definition.
    assert stats.chi2_contingency(table).pvalue > 0.01
    assert stats.chisquare(table.sum(axis=0), 3000 * np.array([0.3, 0.3, 0.2, 0.2])).pvalue > 0.01


def test_the_half_of_an_image_is_independent_of_its_place_and_of_its_turn(make_set: MakeSet) -> None:
    contents = [str(number) for number in range(3000)]
    # Oracle: SciPy's chi-square test over the three numbers of each image, in eighths.
    eighths = np.array([[int(8 * uniform(0, content, number)) for content in contents] for number in range(3)])
    for one, other in ((0, 1), (0, 2), (1, 2)):
        table = np.zeros((8, 8))
        np.add.at(table, (eighths[one], eighths[other]), 1)
        assert stats.chi2_contingency(table).pvalue > 0.01


def test_exact_duplicates_share_a_part(make_set: MakeSet) -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        contents = [str(number) for number in rng.integers(0, 12, size=40)]
        if len(set(contents)) < 4:
            continue
        splits = make_splits(make_set([0] * 40, contents), seed)
        for indices in parts(splits):
            others = set(range(40)) - set(indices.tolist())
            assert {contents[index] for index in indices}.isdisjoint(contents[index] for index in others)
            assert len(indices)


def test_exact_duplicates_in_two_classes_share_a_part_where_bounds_hold_anyway(make_set: MakeSet) -> None:
    contents = [*map(str, range(300)), *(f"other {number}" for number in range(280)), *map(str, range(20))]
    for seed in range(20):
        splits = make_splits(make_set([0] * 300 + [1] * 300, contents), seed)
        for name in ("weight", "architecture", "validation", "test"):
            found = set(getattr(splits, name).tolist())
            # Oracle: by construction, image 580 + i is image i once more, in the other class.
            assert {index for index in range(20) if index in found} == {i for i in range(20) if 580 + i in found}


def test_a_class_with_fewer_than_four_different_images_is_refused(make_set: MakeSet) -> None:
    images = make_set([0] * 6 + [1] * 5, [*"aaabbc", *"vwxyz"], class_names=["cat", "dog"])
    with pytest.raises(
        SplitError,
        match=r"1 of 2 classes have fewer than 4 different images: 'cat' \(6, 3 different\); .* take these classes out",
    ):
        make_splits(images, 0)


# Splits that the set defines itself.


def _mask(labels: Labels, rng: np.random.Generator) -> NDArray[np.bool_]:
    """About a third of the images, and never the last six of a class."""
    mask = rng.random(len(labels)) < 0.3
    for label in np.unique(labels):
        mask[rng.permutation(np.flatnonzero(labels == label))[:6]] = False
    return mask


@pytest.mark.parametrize("given", [("test",), ("validation",), ("test", "validation")])
def test_official_splits_are_used_exactly_and_the_others_drawn_from_what_is_left(
    given: tuple[str, ...], make_set: MakeSet
) -> None:
    num_checked = 0
    for seed, labels in random_labels():
        rng = np.random.default_rng(1000 + seed)
        masks = {"test": _mask(labels, rng)}
        masks["validation"] = _mask(labels, rng) & ~masks["test"]
        left = ~np.logical_or.reduce([masks[name] for name in given])
        if np.bincount(labels[left]).min() < 4 - len(given) or not all(masks[name].any() for name in given):
            continue
        num_checked += 1
        splits = make_splits(make_set(labels, **{f"official_{name}": masks[name] for name in given}), seed)
        for name in given:
            assert getattr(splits, name).tolist() == np.flatnonzero(masks[name]).tolist()
        drawn = [name for name in NAMES if name not in given]
        for name in drawn:
            assert set(labels[getattr(splits, name)].tolist()) == set(labels.tolist())
        # Oracle: the bounds by definition, of the images that are left.
        for label in np.unique(labels):
            num_left = int((left & (labels == label)).sum())
            for name in {"test", "validation"} & set(drawn):
                found = int((labels[getattr(splits, name)] == label).sum())
                low, high = bounds(num_left, [0.2], [1])[0]
                assert low <= found <= high
    assert num_checked > 15


# Fewer images to search with.


def test_a_cap_leaves_search_images_unused_and_touches_nothing_else(make_set: MakeSet) -> None:
    for seed, labels in random_labels():
        images = make_set(labels)
        free, fewest = make_splits(images, seed), 2 * len(np.unique(labels))
        before: set[int] = set()
        for cap in sorted({fewest, fewest + 5, fewest + 6, max(fewest, len(free.search) - 1), len(free.search) + 10}):
            capped = make_splits(images, seed, max_search_images=cap)
            assert len(capped.search) == min(cap, len(free.search))
            assert len(capped.search) + len(capped.unused) == len(free.search)
            assert capped.test.tolist() == free.test.tolist()
            assert capped.validation.tolist() == free.validation.tolist()
            for half in ("weight", "architecture"):
                assert set(getattr(capped, half).tolist()) <= set(getattr(free, half).tolist())
                assert set(labels[getattr(capped, half)].tolist()) == set(labels.tolist())
            assert before <= set(capped.search.tolist())  # a larger cap contains a smaller one
            before = set(capped.search.tolist())


def test_a_capped_class_keeps_its_share(make_set: MakeSet) -> None:
    labels = np.repeat([0, 1, 2], [300, 150, 50])
    images = make_set(labels)
    have = np.bincount(labels[make_splits(images, 0).search])
    capped = make_splits(images, 0, max_search_images=100)
    # Oracle: two a class, then 94 seats one by one to the largest quotient of Webster's method over what more it has.
    seats = np.zeros(3, dtype=np.int64)
    for _ in range(94):
        seats[np.argmax((have - 2) / (2 * seats + 1))] += 1
    assert np.bincount(labels[capped.search]).tolist() == (2 + seats).tolist()


def test_shots_are_so_many_images_of_each_class_and_nested_and_leave_validation_and_test_alone(
    make_set: MakeSet,
) -> None:
    for seed, labels in random_labels():
        images = make_set(labels)
        free = make_splits(images, seed)
        have, before = np.bincount(labels[free.search]), set[int]()
        for shots in (2, 3, 5, 10):
            few = make_splits(images, seed, shots=shots)
            # Oracle: the number asked for, or all that a class has.
            assert np.bincount(labels[few.search]).tolist() == np.minimum(have, shots).tolist()
            assert before <= set(few.search.tolist()) <= set(free.search.tolist())
            assert few.test.tolist() == free.test.tolist()
            assert few.validation.tolist() == free.validation.tolist()
            for half in ("weight", "architecture"):
                assert set(getattr(few, half).tolist()) <= set(getattr(free, half).tolist())
                assert set(labels[getattr(few, half)].tolist()) == set(labels.tolist())
            named = [f"'class{label}' ({have[label]})" for label in np.flatnonzero(have < shots)]
            assert len(few.notes) == bool(named)
            if named:
                assert named[0] in few.notes[0]
            before = set(few.search.tolist())


def test_shots_count_different_images_and_copies_are_left_unused(make_set: MakeSet) -> None:
    contents = [*map(str, range(10)), *["0"] * 10, *(f"other {number}" for number in range(20))]
    for seed in range(20):
        images = make_set([0] * 20 + [1] * 20, contents)
        free = make_splits(images, seed)
        for shots in (2, 4, 9):
            few = make_splits(images, seed, shots=shots)
            for label in (0, 1):
                searched = [contents[index] for index in few.search if images.labels[index] == label]
                # Oracle: so many different ones as asked for, or all that the class has; each once.
                have = {contents[index] for index in free.search if images.labels[index] == label}
                assert len(set(searched)) == len(searched) == min(shots, len(have))
                assert bool(few.notes and f"'class{label}' ({len(have)})" in few.notes[0]) == (len(have) < shots)


def test_a_cap_takes_copies_last(make_set: MakeSet) -> None:
    contents = [*map(str, range(20)), *["0"] * 20]
    for seed in range(20):
        images = make_set([0] * 40, contents)
        have = {contents[index] for index in make_splits(images, seed).search}
        for cap in (2, 4, len(have)):
            assert len({contents[index] for index in make_splits(images, seed, max_search_images=cap).search}) == cap


def test_the_halves_take_turns_so_that_few_images_are_halved_evenly(make_set: MakeSet) -> None:
    labels = np.repeat(np.arange(10), 60)
    for shots in (2, 4, 10):
        few = make_splits(make_set(labels), 0, shots=shots)
        assert np.bincount(labels[few.weight]).tolist() == np.bincount(labels[few.architecture]).tolist()


# What cannot be.


def test_an_official_split_that_was_emptied_is_refused_with_what_emptied_it(make_set: MakeSet) -> None:
    images = make_set([0] * 8, official_test=[False] * 8).described(
        skipped=(ImageProblem("test/a.png", "cut short"),), dropped_classes=(("cat", 3),)
    )
    with pytest.raises(
        SplitError,
        match=r"the official test split of 'images' is empty after leaving out 1 images that cannot be read and the "
        r"classes 'cat' \(3\); expected at least 1 image\. Repair or add images, or take the test split.s",
    ):
        make_splits(images, 0)


@pytest.mark.parametrize(
    ("labels", "masks", "settings", "message"),
    [
        ([0] * 4 + [1] * 3, {}, {}, r"1 of 2 classes have fewer than 4 images: 'class1' \(3\).*--drop-small-classes"),
        ([], {}, {}, "there are 0 images to split"),
        ([0] * 8, {}, {"seed": -1}, "the seed of a split is -1; expected 0 or more"),
        ([0] * 8, {}, {"test_frac": 0.0}, r"test_frac is 0\.0 and validation_frac 0\.2; expected both above 0"),
        ([0] * 8, {}, {"test_frac": 0.6, "validation_frac": 0.4}, "their sum below 1"),
        ([0] * 8 + [1] * 8, {}, {"max_search_images": 3}, "max_search_images is 3 for 2 classes; expected at least 4"),
        ([0] * 8, {}, {"shots": 1}, "shots is 1; expected at least 2, one for each half"),
        ([0] * 8, {}, {"shots": 2, "max_search_images": 4}, "shots 2 and max_search_images 4 both say which images"),
        (
            [0] * 8,
            {"official_test": [False] * 8},
            {},
            "the official test split of 'images' is empty; expected at least 1 image. Add images, or take",
        ),
        ([0] * 8, {"official_validation": [False] * 8}, {}, "the official validation split of 'images' is empty"),
        (
            [0] * 8,
            {"official_test": [True] * 2 + [False] * 6, "official_validation": [True] * 3 + [False] * 5},
            {},
            "2 images are in the official test split and in the official validation split",
        ),
        (
            [0] * 4,
            {"official_test": [True] * 2 + [False] * 2},
            {},
            r"fewer than 3 images outside the official test split: 'class0' \(2\)",
        ),
    ],
)
def test_impossible_splits_are_refused(
    labels: list[int], masks: dict[str, Any], settings: dict[str, Any], message: str, make_set: MakeSet
) -> None:
    with pytest.raises(SplitError, match=message):
        make_splits(make_set(labels, **masks), **({"seed": 0} | settings))
