from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ot_select import (
    SELECTORS,
    Candidate,
    LabelledCloud,
    OptionError,
    Question,
    SelectorError,
    Sketch,
    find_selector,
    rank,
    rank_randomly,
    sketch,
)

Maker = Callable[..., LabelledCloud]


def sketch_of(cloud: LabelledCloud) -> Sketch:
    return sketch(cloud, embedder="e")


@pytest.fixture
def candidates(make_cloud: Maker) -> dict[str, Candidate]:
    """Single sources at growing distances from the target of seed 1, and two mixtures."""
    shifts = {"near": 0.0, "middle": 1.0, "far": 3.0, "a+b": 0.5, "b+c": 2.0}
    facts = {"near": (100, 9), "middle": (500, 3), "far": (200, 4), "a+b": (900, 7), "b+c": (900, 3)}
    return {
        name: Candidate(
            sketch=sketch_of(make_cloud(1, shift=shift)),
            num_rows=facts[name][0],
            num_classes=facts[name][1],
            kind="mixture" if "+" in name else "single",
        )
        for name, shift in shifts.items()
    }


@pytest.fixture
def question(make_cloud: Maker, candidates: dict[str, Candidate]) -> Callable[..., Question]:
    def ask(**changes: Any) -> Question:
        settings: dict[str, Any] = {"target": sketch_of(make_cloud(1)), "candidates": candidates}  # 3 classes
        return Question(**settings | changes)

    return ask


def prober(
    accuracies: Mapping[str | None, float | None],
) -> tuple[Callable[[str | None], float | None], list[str | None]]:
    """A probe with known outcomes, and the list of what was probed."""
    asked: list[str | None] = []

    def probe(name: str | None) -> float | None:
        asked.append(name)
        return accuracies[name]

    return probe, asked


@pytest.mark.parametrize(
    ("name", "chosen", "method", "reason"),
    [
        ("nearest", "near", "nearest", "it is the nearest of 3"),
        ("mixture", "a+b", "nearest", "it is the nearest of 2 mixtures"),
        ("largest", "middle", "largest", "it is the largest, with 500 images"),
        ("same-classes", "middle", "same-classes", "its number of classes, 3, is nearest the target's 3"),
    ],
)
def test_every_selector_chooses_by_its_own_rule(
    question: Callable[..., Question], name: str, chosen: str, method: str, reason: str
) -> None:
    # Oracle: shifts, sizes and class counts of the fixture
    choice = find_selector(name)(question())
    assert (choice.name, choice.ranking.names[0], choice.ranking.method, choice.reason) == (
        *(chosen, chosen),
        *(method, reason),
    )


def test_baselines_compare_nothing_and_order_all_single_sources(question: Callable[..., Question]) -> None:
    def refuse(target: Sketch, sources: Mapping[str, Sketch]) -> Any:
        raise AssertionError("a baseline measured a distance")

    for name, order in {
        "largest": ("middle", "far", "near"),
        "same-classes": ("middle", "far", "near"),
        "fixed-best": ("far", "near", "middle"),
    }.items():
        past = {"near": 0.6, "middle": 0.5, "far": 0.9}
        choice = SELECTORS[name](question(ranker=refuse, past_accuracies=past))
        assert choice.ranking.names == order
        assert (choice.ranking.num_evaluated, choice.ranking.terms) == (0, None)


def test_equal_class_counts_are_decided_by_size_and_then_by_name(make_cloud: Maker) -> None:
    kept = sketch_of(make_cloud(1))
    facts = {"b": (50, 4), "a": (50, 2), "c": (40, 4), "d": (99, 9)}
    sources = {name: Candidate(sketch=kept, num_rows=rows, num_classes=k) for name, (rows, k) in facts.items()}
    choice = SELECTORS["same-classes"](Question(target=kept, candidates=sources))
    assert choice.ranking.names == ("a", "b", "c", "d")
    assert SELECTORS["largest"](Question(target=kept, candidates=sources)).ranking.names == ("d", "a", "b", "c")


def test_random_draws_every_single_source_by_the_seed(question: Callable[..., Question]) -> None:
    drawn = {SELECTORS["random"](question(seed=seed)).name for seed in range(30)}
    assert drawn == {"near", "middle", "far"}
    assert SELECTORS["random"](question(seed=4)) == SELECTORS["random"](question(seed=4))


def test_the_probe_tries_the_nearest_few_and_scratch_and_the_best_on_validation_wins(
    question: Callable[..., Question],
) -> None:
    probe, asked = prober({"near": 0.5, "middle": 0.7, None: 0.6})
    choice = SELECTORS["probe"](question(probe=probe, num_probes=2))
    assert asked == ["near", "middle", None]
    assert choice.name == "middle"
    assert [(one.name, one.accuracy) for one in choice.probes] == [("near", 0.5), ("middle", 0.7), (None, 0.6)]
    assert choice.ranking.names == ("near", "middle", "far")  # the evidence of distances stays whole
    assert choice.reason == "its probe had the best validation accuracy of 3, 0.7000"


def test_negative_transfer_is_caught_when_scratch_does_better_than_all_that_were_probed(
    question: Callable[..., Question],
) -> None:
    probe, _ = prober({"near": 0.5, "middle": 0.4, "far": 0.3, None: 0.6})
    choice = SELECTORS["probe"](question(probe=probe))
    assert choice.name is None
    assert "no probed source did better on validation than scratch, 0.6000" in choice.reason


def test_equal_probes_go_to_the_nearer_source_and_scratch_comes_last(question: Callable[..., Question]) -> None:
    probe, _ = prober({"near": 0.4, "middle": 0.6, "far": 0.6, None: 0.6})
    assert SELECTORS["probe"](question(probe=probe)).name == "middle"


@pytest.mark.parametrize(
    ("accuracies", "others"),
    [
        ({"near": 0.6, "middle": 0.4, "far": None, None: 0.6}, "scratch"),
        ({"near": 0.6, "middle": 0.6, "far": 0.1, None: 0.5}, "1 other source"),
        ({"near": 0.6, "middle": 0.6, "far": 0.6, None: 0.6}, "2 other sources and scratch"),
    ],
)
def test_a_tie_of_probes_is_called_one_and_not_the_best(
    question: Callable[..., Question], accuracies: dict[str | None, float | None], others: str
) -> None:
    probe, _ = prober(accuracies)
    expected = f"its probe did as well on validation as {others} (0.6000), and on a tie the nearer source is taken"
    assert SELECTORS["probe"](question(probe=probe)).reason == expected


def test_a_probe_that_diverged_is_kept_in_the_evidence_and_never_chosen(question: Callable[..., Question]) -> None:
    probe, _ = prober({"near": None, "middle": 0.1, "far": None, None: 0.05})
    choice = SELECTORS["probe"](question(probe=probe))
    assert (choice.name, choice.probes[0].accuracy) == ("middle", None)
    nothing, _ = prober(dict.fromkeys(("near", "middle", "far", None)))
    with pytest.raises(SelectorError, match="All 4 probes diverged, scratch among them"):
        SELECTORS["probe"](question(probe=nothing))


def test_fixed_best_says_which_candidates_were_never_tried(question: Callable[..., Question]) -> None:
    choice = SELECTORS["fixed-best"](question(past_accuracies={"far": 0.5, "middle": 0.5, "elsewhere": 0.9}))
    assert choice.ranking.names == ("far", "middle")  # of equal ones the first by name
    assert choice.ranking.left_out == (("near", "there is no past accuracy of it"),)


def test_selectors_measure_with_the_ranker_of_the_question(question: Callable[..., Question]) -> None:
    def furthest_first(target: Sketch, sources: Mapping[str, Sketch]) -> Any:
        found = rank(target, sources)
        return type(found)("nearest", found.entries[::-1], found.num_evaluated, found.rows_compared)

    assert SELECTORS["nearest"](question(ranker=furthest_first)).name == "far"


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("nearest", {"candidates": {}}, "There is no single source among the 0 candidates"),
        ("probe", {}, "the question has no probe. Give one, or choose by 'nearest'"),
        ("probe", {"probe": lambda name: 61.0}, "The probe of near gave 61.0, but a fraction in"),
        ("probe", {"probe": lambda name: float("nan")}, "The probe of near gave nan"),
        ("fixed-best", {}, "there are no past accuracies. Give past_accuracies"),
        ("fixed-best", {"past_accuracies": {"x": 0.5}}, r"are of x, none of the 3 candidates \(far, middle, near\)"),
        ("fixed-best", {"past_accuracies": {"near": float("inf")}}, "past accuracy of 'near' is inf"),
    ],
)
def test_questions_that_a_selector_cannot_answer_get_a_sentence(
    question: Callable[..., Question], name: str, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(SelectorError, match=sentence):
        SELECTORS[name](question(**changes))


def test_no_mixture_among_the_candidates_gets_a_sentence(candidates: dict[str, Candidate]) -> None:
    singles = {name: candidate for name, candidate in candidates.items() if candidate.kind == "single"}
    with pytest.raises(SelectorError, match=r"no mixture source among the 3 candidates\. Pretrain a mixture"):
        SELECTORS["mixture"](Question(target=singles["near"].sketch, candidates=singles))


def test_num_probes_out_of_range_gets_a_sentence(question: Callable[..., Question]) -> None:
    with pytest.raises(OptionError, match="num_probes is 0"):
        SELECTORS["probe"](question(probe=lambda name: 0.5, num_probes=0))


def test_the_random_baseline_draws_every_order_by_seed_and_compares_nothing() -> None:
    orders = {rank_randomly(("x", "y", "z"), seed=seed).names for seed in range(100)}
    assert len(orders) == 6
    assert rank_randomly(["z", "x", "y"], seed=4) == rank_randomly(["x", "y", "z"], seed=4)
    ranking = rank_randomly(["x", "y"])
    assert [result for _, result in ranking] == [None, None]
    assert (ranking.method, ranking.num_evaluated, ranking.rows_compared) == ("random", 0, 0)


def test_no_names_to_draw_from_get_a_sentence() -> None:
    with pytest.raises(OptionError, match="no sources to draw from"):
        rank_randomly([])
