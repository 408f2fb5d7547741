import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ot_select import Candidate, LabelledCloud, Question, SelectorError, find_selector, selector_names, sketch

Install = Callable[..., None]

LAST = """
from ot_select import Choice, rank_randomly


def choose(question):
    names = sorted(question.candidates)
    return Choice(names[-1], rank_randomly(names, question.seed), "it is the last by name")


def stranger(question):
    return Choice("nobody", rank_randomly(question.candidates), "why not")


def wordless(question):
    return "b"


number = 3
"""


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with selectors on the path, as an installer would: module, METADATA, entry_points.txt."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def put(distribution: str, entry_points: dict[str, str], module: str = "last_by_name", code: str = LAST) -> None:
        monkeypatch.delitem(sys.modules, module, raising=False)
        (tmp_path / f"{module}.py").write_text(code)
        info = tmp_path / f"{distribution}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        lines = [f"{name} = {value}" for name, value in entry_points.items()]
        (info / "entry_points.txt").write_text("\n".join(["[supernet_tl.selectors]", *lines, ""]))

    return put


@pytest.fixture
def question(make_cloud: Callable[..., LabelledCloud]) -> Question:
    kept = sketch(make_cloud(1), embedder="e")
    return Question(
        target=kept, candidates={name: Candidate(sketch=kept, num_rows=25, num_classes=3) for name in ("a", "b")}
    )


def test_a_selector_of_an_installed_distribution_is_found_by_name_and_chooses(
    install: Install, question: Question
) -> None:
    install("lastly", {"last": "last_by_name:choose"})
    assert selector_names()[:2] == ("nearest", "probe")
    assert "last" in selector_names()
    choice = find_selector("last")(question)
    assert (choice.name, choice.reason) == ("b", "it is the last by name")


def test_names_of_this_package_cannot_be_taken(install: Install, question: Question) -> None:
    install("usurper", {"nearest": "last_by_name:choose"})
    assert find_selector("nearest")(question).reason == "it is the nearest of 2"
    assert selector_names().count("nearest") == 1


def test_an_unknown_name_lists_what_there_is(install: Install) -> None:
    install("lastly", {"last": "last_by_name:choose"})
    with pytest.raises(SelectorError, match=r"no selector 'first'; there are nearest, probe, .*, last\. Choose one"):
        find_selector("first")


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("last_by_name:missing", r"of lastly 1\.2 cannot be imported from last_by_name:missing \(AttributeError"),
        ("no_such_module:choose", r"cannot be imported from no_such_module:choose \(ModuleNotFoundError"),
        ("last_by_name:number", r"of lastly 1\.2 is 3, but a function from a Question to a Choice is needed"),
    ],
)
def test_what_is_no_selector_is_refused_with_its_distribution(install: Install, value: str, sentence: str) -> None:
    install("lastly", {"last": value})
    with pytest.raises(SelectorError, match=sentence):
        find_selector("last")


@pytest.mark.parametrize(("function", "told"), [("stranger", "'nobody'"), ("wordless", "'b'")])
def test_what_chooses_no_candidate_is_refused(install: Install, question: Question, function: str, told: str) -> None:
    install("lastly", {"last": f"last_by_name:{function}"})
    with pytest.raises(SelectorError, match=f"'last' of lastly 1.2 chose {told}, but a Choice of one of"):
        find_selector("last")(question)


def test_a_name_that_two_distributions_offer_is_refused(install: Install) -> None:
    install("one", {"last": "last_by_name:choose"})
    install("two", {"last": "last_by_name:choose"})
    with pytest.raises(SelectorError, match=r"offered 2 times: one 1.2 \(last_by_name:choose\), two 1.2"):
        find_selector("last")
