"""What ``leave-one-out`` does, and how it shows the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonargparse import Namespace

from supernet_tl.command_line.evaluation_parser import evaluation_fields
from supernet_tl.control import Control
from supernet_tl.errors import EvaluationError
from supernet_tl.evaluating.recipe import EvaluationRecipe
from supernet_tl.terminal.output import OUT, print_json, table_of

_SHOWN_JOBS = 40


def run(config: Namespace) -> None:
    """Run the verb that was parsed."""
    recipe = EvaluationRecipe.from_dict(evaluation_fields(config))
    control = Control(device=config.device, quiet=bool(config.quiet), skip_corrupt=bool(config.skip_corrupt))
    if config.dry_run:
        _dry_run(recipe, config, control)
        return
    if config.output is None:
        raise EvaluationError("--output is missing; give a folder or a URL, or --dry-run for the plan alone.")
    from supernet_tl.evaluating.evaluate import leave_one_out, show_finished

    if config.report_only:
        _show(show_finished(recipe, config.output, control=control), config)
        return
    result = leave_one_out(
        recipe,
        config.output,
        zoo=config.zoo,
        workers=_workers(config),
        pretrain_missing=bool(config.pretrain_missing),
        control=control,
    )
    _show(result.summary, config)
    failed, blocked = result.sitting.failed, result.sitting.blocked
    if failed:
        first, error = next(iter(failed.items()))
        waiting = f", and {len(blocked)} that need them were not begun" if blocked else ""
        raise EvaluationError(
            f"{len(failed)} jobs failed{waiting}; the first is {first}: {error}. Each left its traceback in "
            "jobs/NAME.failed.json. Repeat the command to try them again."
        )


def _workers(config: Namespace) -> Any:
    from supernet_tl.evaluating.evaluate import Workers

    return Workers(
        executor=config.executor,
        num_workers=config.num_workers,
        retries=config.retries,
        cpus_per_job=config.cpus_per_job,
        gpus_per_job=config.gpus_per_job,
        ray_address=config.ray_address,
        work=config.work,
    )


def _dry_run(recipe: EvaluationRecipe, config: Namespace, control: Control) -> None:
    from supernet_tl.evaluating.estimate import estimate
    from supernet_tl.evaluating.evaluate import check_selectors
    from supernet_tl.evaluating.plan import make_plan

    check_selectors(recipe)
    plan = make_plan(recipe)
    found = estimate(plan, control)
    values = {**found.to_dict(), "jobs": [str(job) for job in plan.jobs.values()]}
    if config.json:
        print_json(values)
        return
    for job in values["jobs"][:_SHOWN_JOBS]:
        OUT.print(job, soft_wrap=True)
    if len(plan.jobs) > _SHOWN_JOBS:
        OUT.print(f"… and {len(plan.jobs) - _SHOWN_JOBS} more (--json lists them all)")
    table = table_of("jobs of kind", "how many", "steps", "hours", title=f"plan, on {found.device}")
    for kind, row in values["kinds"].items():
        table.add_row(kind, f"{row['jobs']:,}", f"{row['steps']:,}", f"{row['hours']:.2f}")
    table.add_row("all", f"{len(plan.jobs):,}", f"{values['steps']:,}", f"{values['hours']:.2f}")
    OUT.print(table)
    what = "GPU hours" if found.on_gpu else "hours of one process"
    OUT.print(
        f"{values['hours']:.2f} {what}, from {len(values['measured'])} step times measured on {found.device}; "
        "decoding, embedding and distances come on top",
        soft_wrap=True,
    )
    for note in values["notes"]:
        OUT.print(f"note: {note}", soft_wrap=True)


def _show(summary: Mapping[str, Any], config: Namespace) -> None:
    if config.json:
        print_json(summary)
        return
    table = table_of(
        *("method", "of the", "mean RI", "targets", "negative", "regret", "share of scratch's epochs"),
        title="relative improvement over scratch",
    )
    titles = {method["name"]: method["title"] for method in summary["methods"]}
    for row in summary["overall"]:
        part = "supernet" if row["part"] == "supernet" else "final network"
        spread = "" if row["spread_ri"] is None else f" ± {row['spread_ri']:.3f}"
        mean = "—" if row["mean_ri"] is None else f"{row['mean_ri']:+.3f}{spread}"
        table.add_row(
            titles.get(row["method"], row["method"]),
            part,
            mean,
            str(row["num_targets"]),
            _or_dash(row["negative_transfer_rate"], ".0%"),
            _or_dash(row["mean_regret"], ".3f"),
            _or_dash(row.get("mean_epoch_share_bounded"), ".2f"),
        )
    OUT.print(table)
    progress = summary["progress"]
    OUT.print(f"{progress['finished']} of {progress['planned']} jobs are finished")
    where = config.output.rstrip("/")
    OUT.print(f"tables: {where}/summary.json and beside it\nreport: {where}/report.html", soft_wrap=True)


def _or_dash(value: float | None, form: str) -> str:
    return "—" if value is None else format(value, form)
