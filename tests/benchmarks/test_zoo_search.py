import numpy as np
import pytest

from benchmarks.zoo_search import ResampledZoo, benchmark, large
from ot_select import LabelledCloud


@pytest.fixture(scope="module")
def sets() -> dict[str, LabelledCloud]:
    """Stand-ins for three of the real sets: classes of Gaussians."""
    generator = np.random.default_rng(0)
    found = {}
    for name in ("digits", "faces", "photos"):
        means = 8 * generator.standard_normal(20) + 3 * generator.standard_normal((4, 20))
        labels = np.arange(160) % 4
        found[name] = LabelledCloud(means[labels] + generator.standard_normal((160, 20)), labels)
    return found


def test_every_search_of_the_benchmark_is_held_against_brute_force(sets: dict[str, LabelledCloud]) -> None:
    found = benchmark(sets, num_entries=24, num_rows=25, rank=8, seed=0, targets=["digits", "faces"])
    assert set(found["summary"]) == {f"{kind}, k={k}" for kind in ("inside", "whole set", "outside") for k in (1, 5)}
    for row in found["summary"].values():
        assert row["same_as_brute_force"] == row["targets"] == 2
        assert 0 < row["evaluated_median"] <= row["evaluated_largest"] <= row["posed_largest"] <= 1
    assert found["index"]["index_bytes"] > 0


def test_a_zoo_made_on_the_fly_gives_the_same_entry_whenever_asked(sets: dict[str, LabelledCloud]) -> None:
    zoo = ResampledZoo(sets, 10, 25, seed=3)
    assert np.array_equal(zoo["entry-00007"].features, zoo["entry-00007"].features)
    assert not np.array_equal(zoo["entry-00007"].features, zoo["entry-00008"].features)
    alone = ResampledZoo({name: sets[name] for name in ("digits", "faces")}, 10, 25, seed=3, without="faces")
    rows = {row.tobytes() for row in sets["digits"].features}
    assert all(row.tobytes() in rows for cloud in alone.values() for row in cloud.features)


def test_a_large_zoo_is_searched_once_without_brute_force(sets: dict[str, LabelledCloud]) -> None:
    found = large(sets, num_entries=30, num_rows=25, rank=8, seed=0, target="faces")
    assert [query["same"] for query in found["queries"]] == [None, None]
    assert found["index"]["entries"] == 30
    assert found["peak_bytes_beyond_the_embeddings"] >= 0
