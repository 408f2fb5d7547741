"""What an evaluation knows of its datasets, and how each does as a source."""

from __future__ import annotations

from typing import Any

from supernet_tl.evaluating.recipe import called
from supernet_tl.evaluating.tables.finished import Finished
from supernet_tl.evaluating.tables.numbers import mean_of
from supernet_tl.evaluating.tables.runs import PARTS


def datasets_of(finished: Finished) -> list[dict[str, Any]]:
    """Every dataset of the recipe; what no finished job tells of is null.

    ``source_accuracy`` is the validation accuracy of its pretraining, the mean over seeds where each has its own.
    """
    return [_dataset(finished, dataset) for dataset in finished.recipe.datasets]


def source_sizes_of(finished: Finished) -> list[dict[str, Any]]:
    """Accuracy after a start from each source, over all targets and seeds whose runs are finished.

    ``mean_accuracy`` and ``mean_ri`` are of final networks; ``supernet`` has those of supernets.
    """
    sizes = {row["name"]: row["num_images"] for row in datasets_of(finished)}
    rows = []
    for source in sizes:
        runs = [run for run in finished.runs if run.job.tags["arm"] == "source" and run.job.tags["source"] == source]
        if not runs:
            continue
        means = {
            part: {
                "mean_accuracy": mean_of(run.accuracy[part] for run in runs),
                "mean_ri": mean_of(run.ri[part] for run in runs),
            }
            for part in PARTS
        }
        rows.append(
            {
                "source": source,
                "num_images": sizes[source],
                "part": "network",
                **means["network"],
                "supernet": means["supernet"],
                "num_runs": len(runs),
                "jobs": [run.job.name for run in runs],
            }
        )
    return rows


def _dataset(finished: Finished, dataset: str) -> dict[str, Any]:
    name = called(dataset)
    told = [
        finished.outcomes[job.name]["result"]
        for job in finished.plan.jobs.values()
        if job.kind == "pretrain" and job.tags.get("source") == name and job.name in finished.outcomes
    ]
    run = next((run for run in finished.runs if run.job.tags["target"] == name and "images" in run.result), None)
    num_images = told[0]["num_images"][0] if told else None if run is None else sum(run.result["images"].values())
    num_classes = told[0]["num_classes"] if told else None if run is None else run.result["num_classes"]
    return {
        "name": name,
        "dataset": dataset,
        "num_classes": num_classes,
        "num_images": num_images,
        "source_accuracy": mean_of((one["metrics"] or {}).get("validation_accuracy") for one in told),
    }
