import json
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ot_select import (
    OTDD,
    DistanceResult,
    LabelledCloud,
    NegativeDistanceError,
    OptionError,
    Ranking,
    SelfDistance,
    Sketch,
    draw_rows,
    draw_seeds,
    otdd,
    rank,
    self_distance,
    sketch,
    sketch_gaussians,
)
from ot_select.arrays import FloatArray

Maker = Callable[..., LabelledCloud]
SIZES = (600, 300, 100, 50)


@dataclass(frozen=True)
class Exact:
    """The exact OTDD of all rows, plus a constant; at some numbers of rows it says that it did not converge."""

    plus: float = 0.0
    fails_at: tuple[int, ...] = ()
    name: str = "exact"

    def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> DistanceResult:
        result = otdd(cloud_a, cloud_b)
        return replace(result, squared=result.squared + self.plus, converged=min(result.num_rows) not in self.fails_at)


@dataclass(frozen=True)
class PowerLaw:
    """A number that depends on how many rows there are and on nothing else: a power of them."""

    power: float
    name: str = "power law"

    def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> DistanceResult:
        return replace(
            otdd(cloud_a, cloud_b), squared=float(np.mean([cloud_a.num_rows, cloud_b.num_rows]) ** self.power)
        )


def population(means: FloatArray, count: int, seed: int, spread: float = 1.0) -> LabelledCloud:
    """Gaussians of one spread around given class means, drawn afresh by seed."""
    generator = np.random.default_rng(seed)
    classes = np.arange(count) % len(means)
    return LabelledCloud(means[classes] + spread * generator.standard_normal((count, means.shape[1])), classes)


def sketch_of(cloud: LabelledCloud) -> Sketch:
    return sketch(cloud, embedder="e")


@pytest.fixture(scope="module")
def sets() -> dict[str, Sketch]:
    """A target in 512 dimensions, the other half of its population at four sizes, and two other populations."""
    generator = np.random.default_rng(0)
    means = 0.5 * generator.standard_normal((5, 512))
    kept = {f"same, {size} rows": sketch_of(population(means, size, seed=size)) for size in SIZES}
    others = {
        f"other {index}": sketch_of(
            population(means + shift * generator.standard_normal((5, 512)), 600, seed=10 + index)
        )
        for index, shift in enumerate((0.5, 0.8))
    }
    return {"target": sketch_of(population(means, 600, seed=1)), **kept, **others}


@pytest.mark.parametrize("size", SIZES)
def test_the_other_half_of_a_set_ranks_first_at_equal_rows_however_small_it_is(
    sets: dict[str, Sketch], size: int
) -> None:
    # The oracle is the construction: "same" has the target's own distribution, the others have not.
    chosen = (f"same, {size} rows", "other 0", "other 1")
    ranking = rank(sets["target"], {name: sets[name] for name in chosen}, num_draws=1)
    assert ranking.names == chosen
    assert (ranking.terms, ranking.rows_compared) == ("rows", size)
    assert all(result.floors is None for _, result in ranking)


def test_the_other_half_of_a_set_ranks_first_at_its_own_size_less_the_self_distances(sets: dict[str, Sketch]) -> None:
    sources = {name: kept for name, kept in sets.items() if name != "target"}
    ranking = rank(sets["target"], sources, num_draws=1, terms="self_distances")
    assert set(ranking.names[:4]) == {f"same, {size} rows" for size in SIZES}
    results = dict(ranking)
    naive = {name: otdd(sets["target"].cloud(), kept.cloud()).squared for name, kept in sources.items()}
    assert naive["same, 50 rows"] > naive["other 0"]  # each at its own size, the wrong one wins
    for size in SIZES:
        result = results[f"same, {size} rows"]
        assert result.rows == (600, size)
        assert result.floors is not None
        # The true distance is 0; the floor, of which 0.15 may be left, is what it would have been without correction.
        assert abs(result.squared) < 0.15 * np.mean(result.floors)
    # Oracle: classes apart by a shift s in each of 512 features, once in the points and once in the labels
    for index, shift in enumerate((0.5, 0.8)):
        assert results[f"other {index}"].squared == pytest.approx(2 * 512 * shift**2, rel=0.35)


def test_a_source_of_smaller_spread_gains_at_equal_rows_and_not_with_self_distances() -> None:
    # Oracle: the construction. Between samples of one population lies nothing; between N(m, 1) and N(m, s^2) in d
    # dimensions c (1 - s)^2, where c, at most 2 d, is how much of two samples' spreads can be coupled: their floor is
    # 2 (2 d - c), points and labels. But the floor of the narrow set is smaller.
    means = np.zeros((1, 256))
    target = sketch_of(population(means, 100, seed=1))
    sources = {
        "same population": sketch_of(population(means, 100, seed=2)),
        "narrow": sketch_of(population(means, 100, seed=3, spread=0.4)),
    }
    at_equal_rows = rank(target, sources)
    assert at_equal_rows.names == ("narrow", "same population")  # the wrong one first
    corrected = rank(target, sources, terms="self_distances")
    assert corrected.names == ("same population", "narrow")
    same, narrow = (result for _, result in corrected)
    assert narrow.floors is not None
    floor = narrow.floors[0]
    assert abs(same.squared) < 0.05 * floor
    assert narrow.squared == pytest.approx((2 * 256 - floor / 2) * 0.6**2, abs=0.05 * floor)


@pytest.mark.parametrize(("size", "classes", "tolerance"), [(300, 10, 0.1), (160, 10, 0.15), (80, 4, 0.15)])
def test_a_self_distance_is_that_of_two_independent_samples_of_the_population(
    size: int, classes: int, tolerance: float
) -> None:
    means = np.random.default_rng(7).standard_normal((classes, 128))
    # Oracle: what it estimates, measured on two fresh samples of the population
    truth = np.mean(
        [otdd(population(means, size, seed), population(means, size, seed + 50)).squared for seed in range(3)]
    )
    floors = [self_distance(population(means, size, seed), size, Exact(), seed) for seed in range(90, 93)]
    found = np.mean([floor.squared for floor in floors])
    assert found == pytest.approx(truth, rel=tolerance)
    halves = otdd(population(means, size // 2, 1), population(means, size // 2, 2)).squared
    assert abs(found - truth) < 0.5 * abs(halves - truth)  # and not that of halves


def test_with_twice_the_rows_a_self_distance_is_measured_and_not_extrapolated() -> None:
    # Oracle: all rows of a class are one of two points, so that halves of 2n rows are two equal sets
    cloud = LabelledCloud(np.repeat([[0.0, 0.0], [3.0, 4.0]], 16, axis=0), np.repeat([0, 1], 16))
    assert self_distance(cloud, 16, Exact()) == SelfDistance(0.0, True, num_rows=16, rows_measured=16)
    assert self_distance(cloud, 16, Exact(plus=5.0)).squared == 5.0
    whole = self_distance(cloud, 32, Exact(plus=5.0))  # no decline from quarters to halves, so none beyond
    assert whole == SelfDistance(5.0, True, num_rows=32, rows_measured=16)


@pytest.mark.parametrize(("size", "classes"), [(20, 20), (30, 20), (60, 20)])
def test_a_self_distance_at_less_than_eight_rows_a_class_is_that_of_samples_of_so_few(size: int, classes: int) -> None:
    means = 2 * np.random.default_rng(7).standard_normal((classes, 16))
    # Oracle: what it estimates, measured on rows drawn from two fresh samples of the population
    truth = np.mean(
        [
            otdd(*(draw_rows(population(means, 160, number), size, seed) for number in (seed, seed + 50))).squared
            for seed in range(10)
        ]
    )
    floors = [self_distance(population(means, 160, seed), size, OTDD(), seed) for seed in range(90, 100)]
    assert [floor.rows_measured for floor in floors] == [size] * 10
    assert np.mean([floor.squared for floor in floors]) == pytest.approx(truth, rel=0.1)


def test_a_self_distance_follows_the_power_law_downwards_and_never_grows(make_cloud: Maker) -> None:
    cloud = make_cloud(1, counts=(40, 24))
    # Oracle: the law itself, at as many rows as it is asked for
    for size in (20, 32, 40, 64):
        assert self_distance(cloud, size, PowerLaw(-0.7)).squared == pytest.approx(size**-0.7)
    assert self_distance(cloud, 64, PowerLaw(1.0)).squared == 32  # what lies between halves: growth is not prolonged
    assert self_distance(cloud, 20, PowerLaw(1.0)).squared == 20


def test_a_self_distance_that_stopped_early_says_so(make_cloud: Maker) -> None:
    cloud = make_cloud(1, counts=(40, 40))
    assert self_distance(cloud, 30, OTDD()).converged
    assert not self_distance(cloud, 30, OTDD(max_iterations=1)).converged
    assert self_distance(cloud, 80, Exact(fails_at=(80,))).converged  # nothing has 80 rows, but halves 40, quarters 20
    assert not self_distance(cloud, 80, Exact(fails_at=(40,))).converged
    assert not self_distance(cloud, 80, Exact(fails_at=(20,))).converged


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"num_rows": -5}, "num_rows is -5, but a whole number of at least 1"),
        ({"num_rows": "a"}, "num_rows is 'a', but a whole number"),
        ({"num_rows": 20.5}, "num_rows is 20.5, but a whole number"),
        ({"seed": -1}, "seed is -1, but a whole number of at least 0"),
    ],
)
def test_options_of_a_self_distance_out_of_range_get_a_sentence(
    make_cloud: Maker, option: dict[str, object], sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        self_distance(make_cloud(1), **{"num_rows": 5, "distance": Exact(), **option})  # type: ignore[arg-type]


def test_a_self_distance_depends_on_content_and_seed_alone(make_cloud: Maker) -> None:
    cloud = make_cloud(1, counts=(30, 20))
    shuffled = cloud.take(np.random.default_rng(0).permutation(50))
    first = self_distance(cloud, 50, Exact(), seed=3)
    assert first == self_distance(shuffled, 50, Exact(), seed=3)
    assert first != self_distance(cloud, 50, Exact(), seed=4)


def test_corrected_draws_are_averaged_and_survive_json(make_cloud: Maker) -> None:
    target, source = sketch_of(make_cloud(1, counts=(40, 40))), sketch_of(make_cloud(2, counts=(30, 20)))
    ranking = rank(target, {"s": source}, terms="self_distances")
    result = ranking[0][1]
    assert result.floors is not None
    assert len(set(result.draws)) == 3  # one comparison of all rows, three splits into halves
    uncorrected = otdd(target.cloud(), source.cloud()).squared
    assert result.squared == pytest.approx(uncorrected - np.mean(result.floors))
    assert Ranking.from_dict(json.loads(json.dumps(ranking.to_dict()))) == ranking
    capped = rank(target, {"s": source}, terms="self_distances", max_rows=40)
    assert (capped[0][1].rows, capped.rows_compared) == ((40, 40), 40)


def test_a_negative_corrected_distance_has_no_root_and_says_so(make_cloud: Maker) -> None:
    cloud = make_cloud(1, counts=(40, 40))
    result = rank(sketch_of(cloud), {"itself": sketch_of(cloud)}, terms="self_distances")[0][1]
    assert result.squared < 0  # the very same rows lie nearer than two samples ever would
    with pytest.raises(NegativeDistanceError, match="after the self-distances were taken off, which is negative"):
        _ = result.distance


def test_what_has_too_few_rows_for_a_self_distance_is_left_out_or_refused(make_cloud: Maker) -> None:
    large, few = make_cloud(1, counts=(40, 40)), make_cloud(2, counts=(8, 7))
    ranking = rank(sketch_of(large), {"a": sketch_of(large), "b": sketch_of(few)}, terms="self_distances")
    assert ranking.names == ("a",)
    assert ranking.left_out == (("b", "it has 15 rows of 2 classes, and its distance to itself at 15 takes 16"),)
    with pytest.raises(OptionError, match=r"None of the 1 sources .*of 'b': it has 15 rows.*Give terms='rows'"):
        rank(sketch_of(large), {"b": sketch_of(few)}, terms="self_distances")
    with pytest.raises(OptionError, match="The target cannot be compared with terms='self_distances': it has 15 rows"):
        rank(sketch_of(few), {"a": sketch_of(large)}, terms="self_distances")
    with pytest.raises(OptionError, match="15 rows of 2 classes, but measuring its distance to itself at 15 rows"):
        self_distance(few, 15, Exact())


def test_a_distance_that_is_negative_between_halves_cannot_correct(make_cloud: Maker) -> None:
    with pytest.raises(OptionError, match=r"The distance exact between two samples of a dataset is -.*not negative"):
        self_distance(make_cloud(1, counts=(40, 40)), 80, Exact(plus=-1e3))


@pytest.mark.parametrize(("rows", "converged"), [((), True), ((50,), False), ((40,), False), ((25,), False)], ids=str)
def test_whatever_did_not_converge_shows_in_the_ranking(
    make_cloud: Maker, rows: tuple[int, ...], converged: bool
) -> None:
    # 50 rows at least are compared with each other, 40 between the target's halves, 25 between the source's
    target, source = sketch_of(make_cloud(1, counts=(40, 40))), sketch_of(make_cloud(2, counts=(30, 20)))
    ranking = rank(target, {"s": source}, distance=Exact(fails_at=rows), terms="self_distances")
    assert ranking[0][1].converged is converged


def test_whole_sketches_are_compared_once_however_many_times_they_are_halved(make_cloud: Maker) -> None:
    target, source = sketch_of(make_cloud(1, counts=(40, 40))), sketch_of(make_cloud(2, counts=(30, 20)))
    calls: list[tuple[int, int]] = []
    progress: list[tuple[int, int]] = []

    class Counted(Exact):
        def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> DistanceResult:
            calls.append((cloud_a.num_rows, cloud_b.num_rows))
            return super().__call__(cloud_a, cloud_b)

    def count(done: int, total: int) -> None:
        progress.append((done, total))

    result = rank(target, {"s": source}, distance=Counted(), terms="self_distances", progress=count)[0][1]
    assert calls.count((80, 50)) == 1
    assert calls.count((40, 40)) == 3
    assert len(set(result.draws)) == 3
    assert progress == [(1, 1)]


def test_few_rows_of_many_classes_have_a_self_distance_where_less_than_half_of_them_are_compared(
    make_cloud: Maker,
) -> None:
    target, source = sketch_of(make_cloud(1, counts=(4,) * 6)), sketch_of(make_cloud(2, counts=(5,) * 6))
    with pytest.raises(OptionError, match="it has 24 rows of 6 classes, and its distance to itself at 24 takes 48"):
        rank(target, {"s": source}, terms="self_distances")
    result = rank(target, {"s": source}, terms="self_distances", max_rows=12)[0][1]
    assert result.floors is not None
    assert result.rows == (12, 12)
    floors = [self_distance(target.cloud(), 12, OTDD(), seed).squared for seed in draw_seeds(0, 3)]
    assert result.floors[0] == pytest.approx(np.mean(floors))
    with pytest.raises(OptionError, match="at 13 takes 26"):
        rank(target, {"s": source}, terms="self_distances", max_rows=13)


def test_gaussians_are_drawn_anew_for_every_self_distance(make_cloud: Maker) -> None:
    cloud = make_cloud(1, counts=(40, 40))
    kept = sketch_gaussians(cloud, embedder="e")
    result = rank(sketch_of(cloud), {"g": kept}, terms="self_distances")[0][1]
    assert result.floors is not None
    # Oracle: the same steps by hand, a cloud of its own for every draw
    seeds = draw_seeds(0, 3)
    floors = [self_distance(kept.cloud(seed=seed), 80, OTDD(), seed).squared for seed in seeds]
    ours = [self_distance(sketch_of(cloud).cloud(), 80, OTDD(), seed).squared for seed in seeds]
    between = [otdd(sketch_of(cloud).cloud(), kept.cloud(seed=seed)).squared for seed in seeds]
    assert result.floors[1] == pytest.approx(np.mean(floors))
    assert result.draws == pytest.approx(np.array(between) - (np.array(ours) + np.array(floors)) / 2)
