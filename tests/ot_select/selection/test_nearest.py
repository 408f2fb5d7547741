from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from ot_select import DimensionMismatchError, LabelledCloud, OptionError, otdd
from ot_select.selection.lower_bound import Moments
from ot_select.selection.nearest import NearestSources, Stage, nearest_sources
from ot_select.selection.source_index import SourceIndex


def sources_of(num_domains: int, per_domain: int, seed: int = 0) -> dict[str, LabelledCloud]:
    """Clouds in domains: classes around the domain's own means, a few of them missing from each."""
    generator = np.random.default_rng(seed)
    found = {}
    for domain in range(num_domains):
        means = 6 * generator.standard_normal(12) + 2 * generator.standard_normal((5, 12))
        for member in range(per_domain):
            classes = generator.choice(5, size=generator.integers(2, 6), replace=False)
            labels = generator.choice(classes, size=30)
            found[f"{domain}/{member}"] = LabelledCloud(means[labels] + generator.standard_normal((30, 12)), labels)
    return found


def search(target: LabelledCloud, sources: Mapping[str, LabelledCloud], k: int) -> NearestSources:
    return nearest_sources([target], lambda name: [sources[name]], [SourceIndex(sources, rank=6)], k)


def brute_force(target: LabelledCloud, sources: Mapping[str, LabelledCloud], k: int) -> list[str]:
    return sorted(sources, key=lambda name: (otdd(target, sources[name]).squared, name))[:k]


# Oracle: measuring the distance to every source.


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 5])
def test_the_nearest_are_those_of_brute_force(seed: int, k: int) -> None:
    sources = sources_of(6, 8, seed)
    target = sources_of(6, 1, seed)["2/0"]
    found = search(target, sources, k)
    assert [name for name, _ in found.results] == brute_force(target, sources, k)
    for name, (result,) in found.results:
        assert result.squared == pytest.approx(otdd(target, sources[name]).squared, rel=1e-12)


def test_a_target_of_a_known_domain_measures_few_distances() -> None:
    sources = sources_of(10, 10)
    target = LabelledCloud(sources["4/0"].features + 0.1, sources["4/0"].class_indices)
    found = search(target, sources, k=1)
    assert found.results[0][0] == "4/0"
    assert found.reached[Stage.SUMMARY] == 100
    assert found.reached[Stage.DISTANCE] <= 10
    assert list(found.reached.values()) == sorted(found.reached.values(), reverse=True)


def test_all_sources_are_ranked_when_all_are_asked_for() -> None:
    sources = sources_of(3, 4)
    target = sources_of(3, 1, seed=9)["0/0"]
    found = search(target, sources, k=12)
    assert [name for name, _ in found.results] == brute_force(target, sources, 12)
    assert found.reached[Stage.DISTANCE] == 12


def test_equal_distances_are_ordered_by_name() -> None:
    sources = sources_of(2, 3)
    twins = {"b": sources["0/0"], "a": sources["0/0"], "c": sources["0/0"], **sources}
    names = [name for name, _ in search(sources["0/1"], twins, k=4).results]
    assert names == brute_force(sources["0/1"], twins, 4)
    assert search(sources["0/0"], twins, k=3).results[0][0] == "0/0"


def test_the_mean_over_several_draws_is_what_is_ordered() -> None:
    draws = [sources_of(4, 5, seed) for seed in (1, 2, 3)]
    targets = [sources["1/2"] for sources in (sources_of(4, 5, seed=seed) for seed in (4, 5, 6))]
    indexes = [SourceIndex(sources, rank=4) for sources in draws]
    found = nearest_sources(targets, lambda name: [sources[name] for sources in draws], indexes, 3)

    def mean(name: str) -> float:
        pairs = zip(targets, draws, strict=True)
        return float(np.mean([otdd(target, sources[name]).squared for target, sources in pairs]))

    assert [name for name, _ in found.results] == sorted(draws[0], key=mean)[:3]


# The index.


class Once(Mapping[str, LabelledCloud]):
    """Clouds that are made when asked for, and counted."""

    def __init__(self, clouds: Mapping[str, LabelledCloud]) -> None:
        self.clouds, self.asked = clouds, dict.fromkeys(clouds, 0)

    def __getitem__(self, name: str) -> LabelledCloud:
        self.asked[name] += 1
        return self.clouds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.clouds)

    def __len__(self) -> int:
        return len(self.clouds)


def test_an_index_asks_for_each_cloud_once_and_once_more_for_the_basis() -> None:
    clouds = Once(sources_of(3, 4))
    SourceIndex(clouds, rank=4)
    assert set(clouds.asked.values()) == {2}


def test_an_index_keeps_moments_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = sources_of(2, 3)
    index = SourceIndex(sources, rank=5)
    for name, cloud in sources.items():
        kept, exact = index.moments(name), Moments.of(cloud, index.basis)
        assert kept.class_weights.tolist() == exact.class_weights.tolist()
        for part in ("summary", "root", "class_vectors"):
            scale = np.sqrt(exact.second_moment)
            assert np.abs(getattr(kept, part) - getattr(exact, part)).max() <= 2**-23 * scale
    d, p, k = 12, 5, sum(cloud.num_classes for cloud in sources.values())
    summaries = d + p + 1 + 9
    assert index.num_bytes == 6 * (4 * (summaries + p * (p + 1) // 2) + 8) + k * (8 + 4 * (p + 1 + 9))


def test_the_bounds_of_all_sources_at_once_exceed_no_distance() -> None:
    sources = sources_of(4, 4)
    index = SourceIndex(sources, rank=4)
    target = sources_of(4, 4, seed=5)["3/3"]
    bounds = index.summary_bounds(index.moments_of(target))
    for name, bound in zip(index.names, bounds, strict=True):
        assert bound <= otdd(target, sources[name]).squared


def test_the_approximate_search_finds_the_domain_and_its_own_cloud_first() -> None:
    sources = sources_of(10, 10)
    found = SourceIndex(sources).approximately_nearest(sources["7/3"], k=5)
    assert found[0][0] == "7/3"
    assert all(name.startswith("7/") for name, _ in found)
    assert [score for _, score in found] == sorted(score for _, score in found)


def test_an_index_of_nothing_and_of_different_dimensions_is_refused() -> None:
    with pytest.raises(OptionError, match="There are no clouds to index"):
        SourceIndex({})
    sources = sources_of(1, 2)
    odd = LabelledCloud(np.eye(3), [0, 1, 1])
    with pytest.raises(DimensionMismatchError, match=r"odd has 3 features where 12 are expected.*same embedder"):
        SourceIndex({**sources, "odd": odd})
    with pytest.raises(DimensionMismatchError, match="the target has 3 features where 12"):
        search(odd, sources, 1)
    with pytest.raises(OptionError, match="rank is 0"):
        SourceIndex(sources, rank=0)
