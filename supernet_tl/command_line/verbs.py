"""What each verb of the command line does, and how it shows the outcome."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

import zoo_store
from supernet_tl.command_line.zoo_verbs import show_cards
from supernet_tl.control import Control
from supernet_tl.errors import ComparisonError, ProblemsFoundError, RecipeError
from supernet_tl.files import read_json
from supernet_tl.recipe import Recipe
from supernet_tl.terminal.output import OUT, print_json, size_in_words, table_of

_MAX_PAIRS_SHOWN = 45  # of ten datasets


def run(config: Namespace) -> None:
    """Run the verb that was parsed."""
    verb = config.verb
    _VERBS[verb](config[verb])


def _control(config: Namespace) -> Control:
    return Control(
        device=config.device,
        quiet=bool(config.quiet),
        overwrite=bool(config.get("overwrite")),
        skip_corrupt=bool(config.skip_corrupt),
        drop_small_classes=bool(config.get("drop_small_classes")),
        workers=config.get("workers"),
        health=not config.get("no_health"),
    )


def _settings(config: Namespace) -> dict[str, Any]:
    """The settings of the recipe that the command line or its config files gave."""
    names = [field.name for field in fields(Recipe)]
    return {name: config[name] for name in names if config.get(name) is not None}


def _preview(verb: Any, sources: list[str], config: Namespace) -> None:
    """What the verb would do."""
    from supernet_tl.preview import preview

    zoo = config.zoo if verb == "transfer" else None
    mixture = bool(config.get("mixture"))
    further: dict[str, Any] = {}
    if verb == "transfer":
        further = {"with_scratch": bool(config.with_scratch), "sweep": config.sweep or 0}
    control, settings = _control(config), _settings(config)
    found = preview(verb, sources, zoo=zoo, mixture=mixture, control=control, **further, **settings)
    if config.json:
        print_json([one.to_dict() for one in found])
        return
    for one in found:
        splits = ", ".join(f"{name} {count:,}" for name, count in one.splits.items() if count)
        table = table_of("stage", "epochs", "steps", "a step", "in all", title=f"{one.name}: {splits}")
        for stage in one.stages:
            told = (str(stage.epochs), f"{stage.steps:,}", f"{stage.step_seconds:.3f} s", _duration(stage.seconds))
            table.add_row(stage.name, *told)
        OUT.print(table)
        memory = size_in_words(one.memory_bytes)
        OUT.print(f"a search step takes about {memory} of a GPU's memory (estimated)", soft_wrap=True)
    total = sum(stage.seconds for one in found for stage in one.stages)
    notes = "; ".join(dict.fromkeys(note for one in found for note in one.notes))
    OUT.print(f"about {_duration(total)} in all, from steps timed here with images of noise; {notes}", soft_wrap=True)


def _duration(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.0f} s"


def _pretrain(config: Namespace) -> None:
    if config.dry_run:
        _preview("pretrain", config.source, config)
        return
    from supernet_tl.pretraining import pretrain

    found = pretrain(
        config.source,
        config.zoo,
        mixture=bool(config.mixture),
        output=config.output,
        tags=config.tag or (),
        control=_control(config),
        **_settings(config),
    )
    entries = found if isinstance(found, list) else [found]
    show_cards({zoo_store.content_id(entry): entry.card for entry in entries}, as_json=bool(config.json))


def _distance(config: Namespace) -> None:
    from supernet_tl.comparing.distances import distance

    for name in ("rows", "draws"):
        if config[name] < 1:
            raise ComparisonError(f"--{name} is {config[name]}; expected a whole number of at least 1.")
    found = distance(
        *config.datasets,
        zoo=config.zoo,
        distance=config.distance,
        rows=config.rows,
        draws=config.draws,
        seed=config.seed,
        embedder=config.embedder,
        embed_size=config.embed_size,
        embed_precision=config.embed_precision,
        output=config.output,
        control=_control(config),
    )
    values = found.to_dict()
    if config.json:
        print_json(values)
        return
    draws = f", mean of {values['num_draws']} draws" if values["num_draws"] > 1 else ""
    title = f"{values['distance']}, {values['rows']} rows each{draws}"
    if values["classes"] is None:
        _show_pairs(values, title)
    else:
        _show_pair(values, title)
    if found.output is not None:
        OUT.print(
            f"pictures: {found.output / ('distance.html' if found.classes else 'distances.html')}", soft_wrap=True
        )


def _show_pair(values: dict[str, Any], title: str) -> None:
    """Two datasets: their distance, and the nearest class of each class."""
    (pair,) = values["pairs"]
    table = table_of("", "", "distance", "spread", "squared", "converged", title=title)
    table.add_row(pair["a"], pair["b"], *_numbers(pair), "yes" if pair["converged"] else "no")
    OUT.print(table)
    nearest = values["classes"]["nearest"]
    if values["num_draws"] > 1:
        OUT.print("classes: of the first draw")
    for dataset, labels in zip(values["datasets"], (values["classes"][f"labels_{side}"] for side in "ab"), strict=True):
        if len(labels) < dataset["num_classes"]:
            OUT.print(
                f"{dataset['num_classes'] - len(labels)} of {dataset['num_classes']} classes of {dataset['name']} have "
                "no row in that draw and are left out; give more --rows",
                soft_wrap=True,
            )
    if nearest[0]["by_label_distance"] is None and nearest[0]["by_mass"] is None:
        return
    table = table_of(f"class of {pair['a']}", f"nearest of {pair['b']}", "distance", "most of its mass to", "share")
    for row in nearest:
        by_distance, by_mass = row["by_label_distance"], row["by_mass"]
        table.add_row(
            row["class"],
            *(("—", "—") if by_distance is None else (by_distance["class"], f"{by_distance['distance']:.2f}")),
            *(("—", "—") if by_mass is None else (by_mass["class"], f"{by_mass['share']:.1%}")),
        )
    OUT.print(table)


def _show_pairs(values: dict[str, Any], title: str) -> None:
    """Several datasets: every pair, nearest first, and of many only the nearest of each."""
    many = len(values["pairs"]) > _MAX_PAIRS_SHOWN
    if many:
        title += "; the nearest of each"
        nearest = {frozenset((row["name"], row["nearest"])) for row in values["nearest"]}
    table = table_of("", "", "distance", "spread", "squared", "converged", title=title)
    for pair in sorted(values["pairs"], key=lambda pair: float(pair["squared"])):
        if not many or frozenset((pair["a"], pair["b"])) in nearest:
            table.add_row(pair["a"], pair["b"], *_numbers(pair), "yes" if pair["converged"] else "no")
    OUT.print(table)
    if many:
        OUT.print(f"all {len(values['pairs'])} pairs: give --output DIR, or --json")


def _numbers(pair: dict[str, Any]) -> tuple[str, str, str]:
    """Distance, its spread, and the squared distance; a negative square has no root."""
    distance = "—" if pair["distance"] is None else f"{pair['distance']:.2f}"
    spread = "—" if pair["distance_spread"] is None else f"± {pair['distance_spread']:.2f}"
    return distance, spread, f"{pair['squared']:.2f}"


def _embed(config: Namespace) -> None:
    from supernet_tl.comparing.embedding import embed

    found = embed(config.source, config.output, config.part, control=_control(config), **_settings(config))
    values = {**found.to_dict(), "output": config.output}
    if config.json:
        print_json(values)
        return
    what = "images" if found.part == "all" else f"{found.part} images"
    OUT.print(
        f"{values['num_images']} {what} of {found.name} in {values['num_classes']} classes, {values['num_features']} "
        f"features each by {found.embedder.name} at {found.embedder.image_size} pixels: {config.output}",
        soft_wrap=True,
    )


def _select(config: Namespace) -> None:
    from supernet_tl.pipeline import select

    found = select(config.target, config.zoo, config.select, control=_control(config), **_settings(config))
    values = found.to_dict()
    if config.json:
        print_json(values)
        return
    corrected = values["terms"] == "self_distances"
    terms = "own rows, less self-distances" if corrected else f"{values['rows_compared']} rows each"
    table = table_of("", "source", "entry", "distance", "spread", title=f"nearest first, {terms}")
    for row in values["ranking"]:
        distance = "—" if row["distance"] is None else f"{row['distance']:.2f}"
        # The spread is of the squared distance; this is what it moves the distance by, to first order.
        spread = "—" if not row["distance"] else f"± {row['spread'] / (2 * row['distance']):.2f}"
        table.add_row("*" if row["chosen"] else "", row["name"], row["entry"][:12], distance, spread)
    OUT.print(table)
    OUT.print(str(found), soft_wrap=True)


def _transfer(config: Namespace) -> None:
    from supernet_tl.pipeline import transfer
    from supernet_tl.sweeping import Sweep

    if config.dry_run:
        _preview("transfer", [config.target], config)
        return
    if config.sweep is None and config.sweep_unit is not None:
        raise RecipeError(f"--sweep-unit {config.sweep_unit} was given without --sweep N; give both, or neither.")
    result = transfer(
        config.target,
        config.zoo,
        select=config.select,
        output=config.output,
        with_scratch=bool(config.with_scratch),
        sweep=None if config.sweep is None else Sweep(config.sweep, config.sweep_unit or "params"),
        control=_control(config),
        **_settings(config),
    )
    _show_result(result.summary, Path(config.output), as_json=bool(config.json))
    scratch = Path(config.output) / "scratch"
    if config.with_scratch and not config.json and scratch.is_dir():
        _show_result(read_json(scratch / "summary.json"), scratch, as_json=False)


def _search(config: Namespace) -> None:
    if config.dry_run:
        _preview("search", [config.target], config)
        return
    from supernet_tl.pipeline import search

    result = search(config.target, output=config.output, control=_control(config), **_settings(config))
    _show_result(result.summary, Path(config.output), as_json=bool(config.json))


def _predict(config: Namespace) -> None:
    from supernet_tl.prediction import predict

    output = None if config.output is None else Path(config.output)
    found = predict(Path(config.network), Path(config.images), control=_control(config), output=output)
    if config.json:
        rows = [vars(row) for row in found.rows]
        skipped = [{"path": problem.path, "reason": problem.reason} for problem in found.skipped]
        print_json({"accuracy": found.accuracy, "predictions": rows, "skipped": skipped})
        return
    table = table_of("image", "predicted", "probability", "label")
    for row in found.rows:
        table.add_row(row.path, row.predicted, f"{row.probability:.3f}", row.label or "—")
    OUT.print(table)
    if found.accuracy is not None:
        labelled = sum(row.label is not None for row in found.rows)
        OUT.print(f"accuracy on the {labelled} of {len(found.rows)} images that are labelled: {found.accuracy:.4f}")
    if found.skipped:
        OUT.print(f"unreadable images skipped: {len(found.skipped)}")


def _export(config: Namespace) -> None:
    from supernet_tl.exporting.export import export

    found = export(config.run, config.output, config.format, overwrite=bool(config.overwrite))
    if config.json:
        print_json(found.to_dict())
        return
    OUT.print(
        f"{found.file}: {found.num_bytes:,} bytes; probabilities differ from the network's own by "
        f"{found.largest_difference:.1g} at most\ntry it:     python {found.folder / 'predict.py'} IMAGE\n"
        f"model card: {found.folder / 'README.md'}",
        soft_wrap=True,
    )


def _doctor(config: Namespace) -> None:
    from supernet_tl.doctor import examine

    findings = examine()
    problems = [finding for finding in findings if finding.status == "problem"]
    if config.json:
        print_json([finding.to_dict() for finding in findings])
    else:
        table = table_of("", "about", "found")
        for finding in findings:
            table.add_row({"good": "", "note": "note", "problem": "!"}[finding.status], finding.about, finding.sentence)
        OUT.print(table)
    if problems:
        told = "; ".join(f"{finding.about}: {finding.sentence}" for finding in problems)
        raise ProblemsFoundError(f"{len(problems)} problem{'' if len(problems) == 1 else 's'} found. {told}.")


def _report(config: Namespace) -> None:
    from supernet_tl.report import build_report

    compared: dict[str, Path] = {}
    beside = Path(config.run) / "scratch"
    runs = [*([beside] if (beside / "summary.json").is_file() else []), *map(Path, config.compare)]
    for run in {run.resolve(): run for run in runs}.values():
        label = _start_of(run)
        compared[label if label not in compared else f"{label} ({run.resolve().name})"] = run
    page = build_report(Path(config.run), compared)
    if config.json:
        print_json({"report": str(page), "compared": {label: str(run) for label, run in compared.items()}})
    else:
        OUT.print(str(page), soft_wrap=True)


def _start_of(run: Path) -> str:
    """Where a run began, in words; its folder's name when it has no summary (the report says what is missing)."""
    try:
        source = read_json(run / "summary.json")["source"]
    except (OSError, ValueError, KeyError, TypeError):
        return run.resolve().name
    return "from scratch" if source is None else f"from {source['name']}"


def _show_result(summary: dict[str, Any], output: Path, *, as_json: bool) -> None:
    if as_json:
        print_json(summary)
        return
    source, selection = summary["source"], summary["selection"]
    origin = "from scratch" if source is None else f"from {source['name']} ({source['entry'][:12]})"
    if selection is not None and selection["probes"]:
        _show_probes(selection, summary["recipe"]["probe_epochs"], summary["target"]["splits"]["validation"])
    title = f"{summary['target']['name']}, {origin}"
    table = table_of("", "validation", "test", "balanced test", "macro-F1 test", "parameters", title=title)
    for part in ("supernet", "network"):
        values = summary[part]
        table.add_row(
            "supernet" if part == "supernet" else "final network",
            *(
                "—" if values[name] is None else f"{values[name]:.4f}"
                for name in ("validation_accuracy", "test_accuracy", "test_balanced_accuracy", "test_macro_f1")
            ),
            f"{values['num_parameters']:,}",
        )
    OUT.print(table)
    if summary["sweep"] is not None:
        _show_sweep(summary["sweep"])
    if (limited := summary["discretization"])["limits"] and limited["differs_from_magnitude"]:
        limits = " and ".join(f"--{name.replace('_', '-')} {value:,}" for name, value in limited["limits"].items())
        OUT.print(f"the architecture is the best within {limits}; the alphas alone would have given a larger one")
    if _falls_behind(summary):
        OUT.print(
            "the final network does worse on validation than the supernet that it was cut from; more --finetune-epochs "
            f"than {summary['recipe']['finetune_epochs']} may help",
            soft_wrap=True,
        )
    OUT.print(f"network: {output / 'network'}\nreport:  {output / 'report.html'}", soft_wrap=True)


def _show_sweep(sweep: dict[str, Any]) -> None:
    """The networks of a sweep, the smallest first; a star before those that no other beats."""
    table = table_of(
        "", f"limit, {sweep['unit']}", "parameters", "multiply-adds", "validation", "test", title="by size"
    )
    for network in sweep["networks"]:
        accuracies = (network["validation_accuracy"], network["test_accuracy"])
        table.add_row(
            "*" if network["unbeaten"] else "",
            "none" if network["limit"] is None else f"{network['limit']:,}",
            f"{network['num_parameters']:,}",
            f"{network['macs']:,}",
            *("—" if accuracy is None else f"{accuracy:.4f}" for accuracy in accuracies),
        )
    OUT.print(table)


def _falls_behind(summary: dict[str, Any]) -> bool:
    """Whether the final network lost more than a tenth of the supernet's validation accuracy."""
    network, supernet = (summary[part]["validation_accuracy"] for part in ("network", "supernet"))
    return network is not None and supernet is not None and network < 0.9 * supernet


def _show_probes(selection: dict[str, Any], epochs: int, num_images: int) -> None:
    table = table_of("", "probed", "validation", title=f"{epochs} epoch{'' if epochs == 1 else 's'} from each")
    for probe in selection["probes"]:
        told = "diverged" if probe["accuracy"] is None else f"{probe['accuracy']:.4f}"
        table.add_row("*" if probe["entry"] == selection["chosen"] else "", probe["name"], told)
    OUT.print(table)
    OUT.print(f"accuracies of the probes: on {num_images} validation images", soft_wrap=True)


_VERBS = {
    "pretrain": _pretrain,
    "distance": _distance,
    "embed": _embed,
    "select": _select,
    "transfer": _transfer,
    "search": _search,
    "predict": _predict,
    "export": _export,
    "doctor": _doctor,
    "report": _report,
}
