from collections.abc import Iterator, Mapping

import numpy as np
import pytest

from ot_select import OTDD, DimensionMismatchError, LabelledCloud, OptionError, otdd
from ot_select.selection.lower_bound import Moments, moment_estimate
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
    # By its first draw "turncoat" would be the nearest, by the mean of both it is the farthest
    generator = np.random.default_rng(0)

    def at(shift: float) -> LabelledCloud:
        return LabelledCloud(generator.standard_normal((20, 4)) + shift, np.arange(20) % 2)

    draws = [
        {"steady": at(2.0), "turncoat": at(0.0), "far": at(4.0)},
        {"steady": at(2.0), "turncoat": at(9.0), "far": at(4.0)},
    ]
    targets = [at(0.0), at(0.0)]
    indexes = [SourceIndex(sources, rank=4) for sources in draws]
    found = nearest_sources(targets, lambda name: [sources[name] for sources in draws], indexes, 3)
    assert [name for name, _ in found.results] == ["steady", "far", "turncoat"]
    for name, results in found.results:
        expected = [otdd(target, sources[name]).squared for target, sources in zip(targets, draws, strict=True)]
        assert [result.squared for result in results] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-40, 1e39])
def test_features_of_any_size_are_searched_as_others_are(scale: float) -> None:
    sources = sources_of(4, 8)
    target = sources_of(4, 1)["2/0"]
    scaled = {name: LabelledCloud(cloud.features * scale, cloud.class_indices) for name, cloud in sources.items()}
    found = search(LabelledCloud(target.features * scale, target.class_indices), scaled, k=3)
    assert [name for name, _ in found.results] == brute_force(target, sources, 3)


def test_what_cannot_be_searched_gets_a_sentence() -> None:
    sources = sources_of(2, 2)
    target, index = sources["0/0"], SourceIndex(sources, rank=3)

    def draws(name: str) -> list[LabelledCloud]:
        return [sources[name]]

    with pytest.raises(OptionError, match="k is 5, but there are 4 sources"):
        nearest_sources([target], draws, [index], 5)
    with pytest.raises(OptionError, match="k is 0, but a whole number of at least 1"):
        nearest_sources([target], draws, [index], 0)
    with pytest.raises(OptionError, match=r"2 draws of the target and 1 indexes of 4 sources.*for each draw"):
        nearest_sources([target, target], draws, [index], 1)
    with pytest.raises(OptionError, match=r"1 draws of '0/.' and 2 of the target"):
        nearest_sources([target, target], draws, [index, index], 1)
    with pytest.raises(OptionError, match=r"no bounds for the distance 'otdd-means'.*measure all sources with rank"):
        nearest_sources([target], draws, [index], 1, distance=OTDD(inner="means"))


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


def test_the_approximate_search_orders_by_its_estimate() -> None:
    # Oracle: the estimate of every source, where the search has made it of some candidates only
    sources = sources_of(10, 40)
    index, target = SourceIndex(sources), sources_of(10, 1, seed=3)["5/0"]
    ours = index.moments_of(target)
    expected = sorted(sources, key=lambda name: moment_estimate(ours, index.moments(name)))
    assert [name for name, _ in index.approximately_nearest(target, k=5)] == expected[:5]


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
