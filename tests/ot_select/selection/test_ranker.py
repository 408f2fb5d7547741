import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from ot_select import (
    OTDD,
    DistanceResult,
    EmbedderMismatchError,
    LabelledCloud,
    NegativeDistanceError,
    OptionError,
    Ranking,
    Sketch,
    SourceIndex,
    draw_seeds,
    otdd,
    rank,
    rank_randomly,
    sketch,
    sketch_gaussians,
)
from ot_select.arrays import FloatArray
from ot_select.selection import ranker
from ot_select.selection.ranking import Comparison

Maker = Callable[..., LabelledCloud]


@dataclass(frozen=True)
class MeansOnly:
    """A distance that looks at no labels: between the means of all rows."""

    name: str = "means-only"

    def __call__(self, cloud_a: LabelledCloud, cloud_b: LabelledCloud) -> DistanceResult:
        return DistanceResult(
            squared=float(np.square(cloud_a.features.mean(axis=0) - cloud_b.features.mean(axis=0)).sum()),
            converged=True,
            marginal_error=0.0,
            dual_gap=0.0,
            num_rows=(cloud_a.num_rows, cloud_b.num_rows),
            labels_a=cloud_a.classes,
            labels_b=cloud_b.classes,
            rows_a=np.arange(cloud_a.num_rows),
            rows_b=np.arange(cloud_b.num_rows),
        )


def sketch_of(cloud: LabelledCloud, max_samples: int = 1000) -> Sketch:
    return sketch(cloud, embedder="e", max_samples=max_samples)


def population(means: FloatArray, count: int, seed: int) -> LabelledCloud:
    """Unit Gaussians around given class means, drawn afresh by seed."""
    generator = np.random.default_rng(seed)
    classes = np.arange(count) % len(means)
    return LabelledCloud(means[classes] + generator.standard_normal((count, means.shape[1])), classes)


@pytest.fixture(scope="module")
def unequal() -> dict[str, Sketch]:
    """A target, few rows of the very same population, and many rows of another one."""
    generator = np.random.default_rng(0)
    means = 0.5 * generator.standard_normal((5, 128))
    others = means + 0.35 * generator.standard_normal((5, 128))
    return {
        "target": sketch_of(population(means, 600, seed=1)),
        "same, 100 rows": sketch_of(population(means, 100, seed=2)),
        "other, 600 rows": sketch_of(population(others, 600, seed=3)),
    }


def test_few_rows_of_the_same_data_rank_before_many_rows_of_other_data(unequal: dict[str, Sketch]) -> None:
    # The oracle is the construction: "same" has the target's own distribution, "other" has not.
    sources = {name: kept for name, kept in unequal.items() if name != "target"}
    target = unequal["target"]
    naive = {name: otdd(target.cloud(), kept.cloud()).squared for name, kept in sources.items()}
    assert naive["same, 100 rows"] > naive["other, 600 rows"]  # each at its own size, the wrong one wins
    ranking = rank(target, sources)
    assert ranking.names == ("same, 100 rows", "other, 600 rows")
    assert ranking.rows_compared == 100
    for _, result in ranking:
        assert result.rows == (100, 100)
    (_, nearest), (_, second) = ranking
    assert second.squared - nearest.squared > 5 * max(nearest.spread, second.spread)  # and not by luck of the draw


def test_a_ranking_iterates_over_names_and_results_nearest_first(make_cloud: Maker) -> None:
    target = sketch_of(make_cloud(1))
    sources = {f"shift {shift}": sketch_of(make_cloud(1, shift=shift)) for shift in (3.0, 0.0, 1.0)}
    ranking = rank(target, sources)
    assert ranking.names == ("shift 0.0", "shift 1.0", "shift 3.0")
    # Oracle: a shift by t in each of 4 features is 2 * 4 t^2
    assert [result.squared for _, result in ranking] == pytest.approx([0.0, 8.0, 72.0], rel=1e-4)
    assert ranking[1][1].distance == pytest.approx(np.sqrt(8.0), rel=1e-4)
    assert np.array(ranking[2][1].label_distances).shape == (3, 3)
    assert ranking[2][1].labels_source == ("0", "1", "2")


def test_k_limits_what_is_returned_and_not_what_is_evaluated(make_cloud: Maker) -> None:
    sources = {str(seed): sketch_of(make_cloud(seed)) for seed in range(5)}
    ranking = rank(sketch_of(make_cloud(9)), sources, k=2)
    assert (len(ranking), ranking.num_evaluated) == (2, 5)
    assert ranking.names == rank(sketch_of(make_cloud(9)), sources).names[:2]
    assert len(rank(sketch_of(make_cloud(9)), sources, k=50)) == 5


def test_equal_distances_are_ordered_by_name_even_where_rows_are_drawn(make_cloud: Maker) -> None:
    cloud = make_cloud(2, counts=(30, 30))
    sources = {name: sketch_of(cloud) for name in ("b", "c", "a")}
    assert rank(sketch_of(make_cloud(3)), sources, max_rows=20).names == ("a", "b", "c")


def test_a_source_gets_the_same_value_under_any_name_in_any_company_of_at_least_its_size(make_cloud: Maker) -> None:
    target, source = sketch_of(make_cloud(4, counts=(40, 40))), sketch_of(make_cloud(5, counts=(30, 20)))
    larger = sketch_of(make_cloud(6, counts=(60, 50)))
    alone = dict(rank(target, {"x": source}))["x"]
    crowd = dict(rank(target, {"z": larger, "x": source, "a": larger}))["x"]
    turned = dict(rank(target, {"a": larger, "other name": source, "z": larger}))["other name"]
    assert alone == crowd == turned


def test_draws_are_the_same_in_another_process() -> None:
    # Another process has another hash of strings; the clouds are named by strings so that it would show.
    code = (
        "import numpy as np, ot_select\n"
        "g = np.random.default_rng(0)\n"
        "clouds = [ot_select.LabelledCloud(g.standard_normal((50, 3)), ['a', 'b'] * 25) for _ in range(2)]\n"
        "a, b = (ot_select.sketch(c, embedder='e', max_samples=40) for c in clouds)\n"
        "draws = ot_select.rank(a, {'b': b}, max_rows=20)[0][1].draws\n"
    )
    here: dict[str, object] = {}
    exec(code, here)
    there = subprocess.run([sys.executable, "-c", f"{code}print(draws)"], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == str(here["draws"])


def test_values_are_means_over_draws_with_their_spread(make_cloud: Maker) -> None:
    target, source = sketch_of(make_cloud(7, counts=(50, 50))), sketch_of(make_cloud(8, counts=(50, 50)))
    result = rank(target, {"s": source}, max_rows=30, num_draws=4)[0][1]
    assert len(set(result.draws)) == 4
    assert result.squared == pytest.approx(np.mean(result.draws))
    assert result.spread == pytest.approx(np.std(result.draws, ddof=1))
    assert result.rows == (30, 30)
    assert rank(target, {"s": source}, max_rows=30, num_draws=2)[0][1].draws == result.draws[:2]
    assert rank(target, {"s": source}, max_rows=30, seed=1)[0][1].draws != result.draws[:3]


def test_whole_sketches_of_equal_size_are_compared_once(make_cloud: Maker) -> None:
    calls: list[tuple[int, int]] = []
    target, source = sketch_of(make_cloud(9)), sketch_of(make_cloud(10))
    result = rank(target, {"s": source}, progress=lambda done, total: calls.append((done, total)))[0][1]
    assert result.spread == 0.0
    assert result.draws == (otdd(target.cloud(), source.cloud()).squared,)
    assert calls == [(1, 1)]


def test_the_paper_preset_ranks_by_the_debiased_divergence(make_cloud: Maker) -> None:
    target, source = sketch_of(make_cloud(11)), sketch_of(make_cloud(12))
    result = rank(target, {"s": source}, preset="paper")[0][1]
    assert result.squared == otdd(target.cloud(), source.cloud(), preset="paper").squared
    assert result.converged
    assert 0 < result.marginal_error <= 1e-3


def test_sketches_of_different_embedders_are_refused_and_both_are_named(make_cloud: Maker) -> None:
    target, source = sketch(make_cloud(1), embedder="resnet18"), sketch(make_cloud(2), embedder="lite0")
    with pytest.raises(EmbedderMismatchError, match="embedded by 'resnet18' and the source 's' by 'lite0'"):
        rank(target, {"s": source})


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ({"k": 0}, "k is 0"),
        ({"num_draws": 0}, "num_draws is 0"),
        ({"max_rows": -3}, "max_rows is -3"),
        ({"seed": -1}, "seed is -1"),
        ({"preset": "x"}, "no preset 'x'"),
        ({"preset": ["paper"]}, r"no preset \['paper'\]"),
        ({"distance": "otdd"}, r"distance is 'otdd', but a distance such as OTDD\(\) is needed"),
        ({"distance": OTDD}, r"distance is <class .*OTDD'>, but a distance such as OTDD\(\) is needed"),
        ({"terms": "fair"}, "terms is 'fair', but one of 'rows', 'self_distances' is needed"),
        ({"min_rows": 0}, "min_rows is 0"),
        ({"preset": "paper", "distance": MeansOnly()}, r"Both a distance \(means-only\) and a preset \('paper'\)"),
    ],
)
def test_selection_options_out_of_range_get_a_sentence(
    make_cloud: Maker, option: dict[str, object], sentence: str
) -> None:
    with pytest.raises(OptionError, match=sentence):
        rank(sketch_of(make_cloud(1)), {"s": sketch_of(make_cloud(2))}, **option)  # type: ignore[arg-type]


def test_no_sources_get_a_sentence(make_cloud: Maker) -> None:
    with pytest.raises(OptionError, match=r"no sources to rank\. Add at least one"):
        rank(sketch_of(make_cloud(1)), {})


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [
        (["sketch"], "the sources of type list, but a Sketch and a mapping of names to Sketches are needed"),
        ({1: "sketch", "a": "sketch"}, "a Sketch by the name 1, but Sketches by names that are text"),
        ({"a": None}, "a NoneType by the name 'a', but Sketches"),
    ],
)
def test_sources_that_are_no_sketches_by_name_get_a_sentence(
    make_cloud: Maker, sources: list[str] | dict[object, object], sentence: str
) -> None:
    kept = sketch_of(make_cloud(1))
    given = {name: kept if value else value for name, value in sources.items()} if isinstance(sources, dict) else [kept]
    with pytest.raises(OptionError, match=sentence):
        rank(kept, given)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="The target is of type LabelledCloud"):
        rank(make_cloud(1), {"a": kept})  # type: ignore[arg-type]


def test_a_ranking_survives_json(make_cloud: Maker) -> None:
    sources = {str(seed): sketch_of(make_cloud(seed)) for seed in range(3)}
    ranking = rank(sketch_of(make_cloud(7)), sources, max_rows=15)
    assert Ranking.from_dict(json.loads(json.dumps(ranking.to_dict()))) == ranking
    drawn = rank_randomly(sources, seed=1)
    assert Ranking.from_dict(json.loads(json.dumps(drawn.to_dict()))) == drawn


def test_a_damaged_or_newer_ranking_gets_a_sentence(make_cloud: Maker) -> None:
    data = rank_randomly(["a"]).to_dict()
    with pytest.raises(OptionError, match="format 3, but this version reads formats 1 to 2"):
        Ranking.from_dict(data | {"format": 3})
    with pytest.raises(OptionError, match=r"ranking is damaged \(KeyError: 'result'\)"):
        Ranking.from_dict(data | {"entries": [{"name": "a"}]})


def test_a_negative_mean_has_no_root() -> None:
    result = Comparison(-0.5, 0.0, (-0.5,), (1, 1), True, 0.0, ("a",), ("b",), ((0.0,),))
    with pytest.raises(NegativeDistanceError, match=r"is -0\.5, which is negative"):
        _ = result.distance


def test_any_distance_of_the_protocol_ranks_and_is_named(make_cloud: Maker) -> None:
    target = sketch_of(make_cloud(1))
    sources = {f"shift {shift}": sketch_of(make_cloud(1, shift=shift)) for shift in (3.0, 1.0)}
    ranking = rank(target, sources, distance=MeansOnly())
    # Oracle: a shift by t moves the mean of 4 features by t each
    assert [result.squared for _, result in ranking] == pytest.approx([4.0, 36.0], rel=1e-4)
    assert (ranking.names, ranking.distance) == (("shift 1.0", "shift 3.0"), "means-only")
    assert ranking[0][1].label_distances is None
    assert Ranking.from_dict(json.loads(json.dumps(ranking.to_dict()))) == ranking


def test_a_tiny_source_is_left_out_with_a_reason_rather_than_drag_all_others_down(make_cloud: Maker) -> None:
    target = sketch_of(make_cloud(1, counts=(60, 60)))
    sources = {
        "tiny": sketch_of(make_cloud(2, counts=(4, 3))),
        "small": sketch_of(make_cloud(3, counts=(20, 15))),
        "large": sketch_of(make_cloud(4, counts=(70, 60))),
    }
    ranking = rank(target, sources)
    assert set(ranking.names) == {"small", "large"}
    assert ranking.rows_compared == 35
    ((name, reason),) = ranking.left_out
    assert name == "tiny"
    assert "it has 7 rows" in reason
    assert "at least 32" in reason
    assert Ranking.from_dict(json.loads(json.dumps(ranking.to_dict()))) == ranking


def test_small_sources_stay_where_less_is_asked_for_or_none_is_larger_or_the_target_is_small(make_cloud: Maker) -> None:
    tiny, large = sketch_of(make_cloud(2, counts=(4, 3))), sketch_of(make_cloud(4, counts=(70, 60)))
    target = sketch_of(make_cloud(1, counts=(60, 60)))
    assert rank(target, {"tiny": tiny, "large": large}, min_rows=7).rows_compared == 7
    assert rank(target, {"tiny": tiny, "large": large}, max_rows=6).rows_compared == 6
    assert rank(target, {"tiny": tiny}).names == ("tiny",)
    assert set(rank(tiny, {"tiny": tiny, "large": large}).names) == {"tiny", "large"}


def test_a_ranking_from_before_there_were_terms_is_still_read(make_cloud: Maker) -> None:
    data = rank(sketch_of(make_cloud(1)), {"s": sketch_of(make_cloud(2))}).to_dict()
    old = {key: value for key, value in data.items() if key not in ("terms", "distance", "left_out")} | {"format": 1}
    del old["entries"][0]["result"]["floors"]
    assert Ranking.from_dict(old)[0][1] == rank(sketch_of(make_cloud(1)), {"s": sketch_of(make_cloud(2))})[0][1]


@pytest.mark.parametrize("sizes", [(40,), (40, 45, 60)])
def test_the_first_of_many_sources_are_found_without_evaluating_all(make_cloud: Maker, sizes: tuple[int, ...]) -> None:
    # Oracle: the ranking of all of them, none left out. Sources of one size are compared whole, others over draws
    sources = {
        f"source {seed}": sketch_of(make_cloud(seed, counts=(sizes[seed % len(sizes)] - 15, 15), shift=seed % 7))
        for seed in range(40)
    }
    target = sketch_of(make_cloud(50, counts=(20, 20), shift=2.0))
    everything = rank(target, sources)
    assert everything.num_evaluated == 40
    assert {len(result.draws) for _, result in everything} == ({1} if len(sizes) == 1 else {1, 3})
    for k in (1, 5, 15):
        first = rank(target, sources, k=k)
        assert first.entries == everything.entries[:k]
        assert first.num_evaluated < 40


def test_the_first_of_many_gaussians_are_those_of_the_ranking_of_all(make_cloud: Maker) -> None:
    # Oracle: the ranking of all of them, none left out
    sources = {
        f"source {seed}": sketch_gaussians(make_cloud(seed, counts=(20, 20), shift=seed % 7), embedder="e")
        for seed in range(40)
    }
    target = sketch_of(make_cloud(50, counts=(20, 20), shift=2.0))
    everything, first = rank(target, sources), rank(target, sources, k=5)
    assert first.entries == everything.entries[:5]
    assert first.num_evaluated < everything.num_evaluated == 40


@pytest.mark.parametrize(
    ("distance", "searched"),
    [
        (OTDD(device="cpu"), True),
        (OTDD(keep_coupling=True), True),
        (OTDD(max_iterations=10**8), False),
        (OTDD(inner="means"), False),
    ],
    ids=repr,
)
def test_where_the_exact_otdd_computes_and_what_it_keeps_is_no_hindrance_to_a_search(
    make_cloud: Maker, distance: OTDD, searched: bool
) -> None:
    sources = {f"{seed}": sketch_of(make_cloud(1, counts=(20, 20), shift=seed)) for seed in range(33)}
    ranking = rank(sketch_of(make_cloud(1, counts=(20, 20))), sources, k=2, distance=distance)
    assert ranking.names == ("0", "1")
    assert (ranking.num_evaluated < 33) is searched


@pytest.mark.parametrize(("max_rows", "indexes"), [(None, 1), (30, 3)])
def test_sketches_that_are_all_compared_whole_are_indexed_once(
    make_cloud: Maker, monkeypatch: pytest.MonkeyPatch, max_rows: int | None, indexes: int
) -> None:
    built: list[SourceIndex] = []

    class Counted(SourceIndex):
        def __init__(self, clouds: Mapping[str, LabelledCloud]) -> None:
            super().__init__(clouds)
            built.append(self)

    monkeypatch.setattr(ranker, "SourceIndex", Counted)
    sources = {f"{seed}": sketch_of(make_cloud(1, counts=(20, 20), shift=seed)) for seed in range(33)}
    ranking = rank(sketch_of(make_cloud(1, counts=(20, 20))), sources, k=1, max_rows=max_rows)
    assert ranking.names == ("0",)
    assert len(built) == indexes


def test_whole_gaussians_are_drawn_anew_for_every_draw_so_that_their_noise_shows(make_cloud: Maker) -> None:
    rows, kept = sketch_of(make_cloud(2)), sketch_gaussians(make_cloud(1), embedder="e", min_class_rows=1)
    for target, source in ((rows, kept), (kept, rows)):
        result = rank(target, {"s": source})[0][1]
        # Oracle: the distances of clouds that are drawn one by one
        expected = [otdd(target.cloud(seed=seed), source.cloud(seed=seed)).squared for seed in draw_seeds(0, 3)]
        assert result.draws == tuple(expected)
        assert result.spread > 0
        assert rank(target, {"s": source}, seed=1)[0][1].draws != result.draws
    assert rank(kept, {"itself": kept})[0][1].squared == 0.0


def test_equal_draws_have_their_own_value_as_mean_and_no_spread() -> None:
    # Rows that are all equal give equal draws, whichever are drawn; of 1.9 and some others (x + x + x) / 3 is not x
    for place in np.linspace(1.0, 2.0, 20):
        target, source = (LabelledCloud(np.full((40, 3), value), [0] * 40) for value in (0.0, place))
        kept = sketch(source, embedder="e", dtype="float32")
        result = rank(sketch(target, embedder="e"), {"s": kept}, max_rows=35)[0][1]
        assert result.draws == (result.squared,) * 3
        assert result.spread == 0.0
