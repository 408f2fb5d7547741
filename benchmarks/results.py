"""Write ``docs/results.md`` from the outcomes that the repository keeps: ``python -m benchmarks.results``.

No number in it is typed by hand: ``docs/results/`` holds the JSON of every job, and what is said of them in words.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from supernet_tl.control import Control
from supernet_tl.evaluating.evaluate import plan_with_images
from supernet_tl.evaluating.folder import folder_at
from supernet_tl.evaluating.tables.comparison import Comparison
from supernet_tl.evaluating.tables.markdown import results_page
from supernet_tl.evaluating.tables.summary import summarise_evaluation
from supernet_tl.files import write_whole

ROOT = Path(__file__).parent.parent
KEPT = ROOT / "docs/results"
PAGE = ROOT / "docs/results.md"
_COMMAND = "supernet-tl leave-one-out --config recipes/leave_one_out/pocket.yaml"
_SCHEDULES = "--config recipes/leave_one_out/pocket_schedules.yaml"
_ZOO = "--zoo docs/results/pocket/zoo"
_COMPARISONS = {
    "Search methods and selection rules": (
        "Searched by DARTS under random perturbation, plain DARTS (unperturbed), PC-DARTS and DrNAS; the discrete "
        "architecture chosen by magnitude, or by what the supernet loses without each op (by_perturbation). Final "
        "networks inherit the supernet's weights; those of PC-DARTS cannot, and are trained anew for longer. RI and "
        "epochs are against the first row of each family, a search from scratch with its usual perturbation and rule.",
        {
            "DARTS": ("methods", "pocket_methods"),
            "PC-DARTS": ("pc_darts", "pocket_pc_darts"),
            "DrNAS": ("drnas", "pocket_drnas"),
        },
    ),
    "Ways to train the final network": (
        "The pocket recipe's few epochs, the presets fast and best, and a larger network trained anew, each from the "
        "same kind of search; and a timm network pretrained on ImageNet, fine-tuned for as long as search and training "
        "of each took.",
        {"DARTS": ("final_networks", "pocket_final_networks")},
    ),
    "Transfers that move little": (
        "Full transfers against transfers that train the classifier alone (head), or normalisations too (batch_norm), "
        "with so many images of each class; the Greek letters have no more than 35.",
        {f"{shots} shots": (f"shots_{shots}", f"pocket_few_shots --target.shots {shots}") for shots in (5, 20, 100)},
    ),
}
"""By title of the section what is compared, and by label the kept folder and the recipe with its switches."""


def summary_of(folder: Path) -> dict[str, Any] | None:
    """The summary of the evaluation whose outcomes a folder keeps; None where there is none."""
    if not (folder / "evaluation.json").exists():
        return None
    place = folder_at(folder)
    plan = plan_with_images(place.recipe(), Control(device="cpu", quiet=True))
    return summarise_evaluation(plan, place.outcomes.get_all(plan.jobs), place.outcomes.failures(plan.jobs))


def page() -> str:
    """The page, from what is kept."""
    summary = summary_of(KEPT / "pocket")
    schedules: Mapping[str, Any] | None = summary_of(KEPT / "schedules")
    if summary is None:
        raise FileNotFoundError(f"{KEPT / 'pocket'} keeps no evaluation; run {_COMMAND} --output {KEPT / 'pocket'}")
    return results_page(
        summary,
        command=f"{_COMMAND} --output docs/results/pocket",
        title="Results on the pocket album",
        reading=(KEPT / "reading.md").read_text(encoding="utf-8"),
        schedules=schedules,
        schedules_command=f"{_COMMAND} {_SCHEDULES} {_ZOO} --output docs/results/schedules",
        comparisons=[_comparison(title, *of) for title, of in _COMPARISONS.items() if _are_kept(of[1])],
    )


def _are_kept(evaluations: Mapping[str, tuple[str, str]]) -> bool:
    return any((KEPT / folder / "evaluation.json").exists() for folder, _ in evaluations.values())


def _comparison(title: str, explained: str, evaluations: Mapping[str, tuple[str, str]]) -> Comparison:
    """The evaluations of a section that are kept."""
    summaries: dict[str, Mapping[str, Any]] = {}
    commands: dict[str, str] = {}
    for label, (folder, recipe) in evaluations.items():
        summary = summary_of(KEPT / folder)
        if summary is not None:
            name, *switches = recipe.split(maxsplit=1)
            recipe_file = f"--config recipes/leave_one_out/{name}.yaml"
            summaries[label] = summary
            commands[label] = " ".join((_COMMAND, recipe_file, *switches, _ZOO, f"--output docs/results/{folder}"))
    return Comparison(title, explained, summaries, commands)


def main() -> int:
    """Write the page, or say whether the one that is there is the one that would be written."""
    parser = argparse.ArgumentParser(description="docs/results.md from the outcomes in docs/results/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the page is another")
    options = parser.parse_args()
    text = page()
    if options.check:
        same = PAGE.read_text(encoding="utf-8") == text
        print(f"{PAGE} is {'as it should be' if same else 'another; run python -m benchmarks.results'}")
        return 0 if same else 1
    write_whole(PAGE, text.encode())
    print(PAGE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
