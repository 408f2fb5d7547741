"""The model card of an exported network: what it is, how good, where it comes from, and under which licences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import darts
from supernet_tl.cards import data_of
from supernet_tl.markdown import escape, grid

_HOW = {
    "torch": "`network.pt2` is a program of torch.export; `torch.export.load` reads it.",
    "onnx": "`network.onnx` is an ONNX model, for ONNX Runtime and others.",
    "state_dict": "`network.safetensors` holds the weights, and `network.py` the network as a plain PyTorch module: "
    "`from_folder('.')` builds it. It can be trained on.",
}
_UNKNOWN = "not stated"


def page(
    facts: Mapping[str, Any],
    summary: Mapping[str, Any] | None,
    *,
    format: str,
    file: str,
    network: darts.DiscreteNetwork,
) -> str:
    """The card in Markdown, with the header that the Hugging Face Hub reads.

    Args:
        facts: the content of ``network.json``.
        summary: that of ``summary.json``, where the run is at hand.
        format: of the export.
        file: of the network.
        network: that is exported.
    """
    names = facts["class_names"]
    targets = data_of(facts)
    title = ", ".join(str(data.get("name")) for data in targets) or "images"
    num_parameters = sum(parameter.numel() for parameter in network.parameters())
    sections = [
        "---\npipeline_tag: image-classification\ntags:\n- supernet-transfer-learning\n---",
        f"# A classifier of {escape(title)}",
        f"It tells {len(names)} classes apart: {', '.join(map(escape, names))}.",
        "## Use",
        "```\npip install -r requirements.txt\npython predict.py IMAGE_OR_FOLDER\n```",
        f"{_HOW[format]} It takes 8-bit {'grey' if network.in_channels == 1 else 'RGB'} images, shape (n, "
        f"{network.in_channels}, {facts['image_size']}, {facts['image_size']}), for any n, and gives probabilities, "
        f"shape (n, {len(names)}), in the order above. Scaling and normalisation are inside; cropping and resizing are "
        "not: `square` in `predict.py` does both as in training. What the network must be told is in the file itself.",
        "## How good",
        *_metrics(summary),
        "## What it is",
        f"A network of {network.num_cells} cells with {network.channels} channels in the first, "
        f"{num_parameters:,} parameters, found by differentiable architecture search.",
        grid(("cell", "op of each edge, with the state it reads"), _cells(facts["genotype"]), of_numbers=False),
        "## Where it comes from",
        *_lineage(summary),
        "## Data and licences",
        _data(targets, [] if summary is None or summary["source"] is None else data_of(summary["source"])),
    ]
    if summary is not None:
        versions = ", ".join(f"{escape(name)} {escape(version)}" for name, version in summary["versions"].items())
        sections += ["## Made with", f"{escape(summary['created'])}; {versions}. Settings are in the run's `run.json`."]
    return "\n\n".join(sections) + "\n"


def _metrics(summary: Mapping[str, Any] | None) -> Iterator[str]:
    if summary is None:
        yield "The folder of the run, which has the accuracies, was not at hand."
        return
    found = summary["network"]
    rows = [
        (title, *(_fraction(found.get(f"{part}_{name}")) for part in ("validation", "test")))
        for title, name in (
            ("accuracy", "accuracy"),
            ("balanced accuracy", "balanced_accuracy"),
            ("macro-F1", "macro_f1"),
        )
    ]
    splits = summary["target"]["splits"]
    images = (str(splits.get(part, _UNKNOWN)) for part in ("validation", "test"))
    yield grid(("", "validation", "test"), [*rows, ("images", *images)])
    if summary["recipe"].get("finetune_patience") is not None:
        yield "It is the network of the epoch that did best on the validation images, whose numbers are a little high."
    if found.get("test_accuracy") is not None:
        yield "Test images were looked at once, after training."
    for finding in (summary.get("health") or {}).get("findings", []):
        yield f"Note on the data: {escape(finding['sentence'])}"


def _cells(genotype: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for cell in ("normal", "reduction"):
        yield cell, ", ".join(f"{name} of {source}" for name, source in genotype[cell])


def _lineage(summary: Mapping[str, Any] | None) -> Iterator[str]:
    if summary is None:
        yield "Not at hand."
        return
    source, selection = summary["source"], summary["selection"]
    if source is None:
        yield "The search began from random weights."
    else:
        distance = source.get("distance")
        far = "" if distance is None else f", at distance {distance:.2f} ({escape(selection['distance'])})"
        yield (
            f"The search began from the supernet `{source['entry']}` ({escape(source['name'])}){far}; it was taken "
            f"because {escape(selection['reason'])}."
        )
        if source.get("has_seen_target"):
            yield "That supernet had been pretrained on these very images, so that the accuracies above say little."
    network = summary["network"]
    how = {
        "inherit": "It kept the supernet's weights and was trained on.",
        "retrain": "It was trained from random weights.",
    }
    yield how.get(network["final"], "")


def _data(targets: Sequence[Mapping[str, Any]], sources: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            str(data.get("name")),
            used,
            str(data.get("origin") or _UNKNOWN),
            str(data.get("licence") or _UNKNOWN),
        )
        for used, found in (("trained on", targets), ("its supernet was pretrained on", sources))
        for data in found
    ]
    return grid(("images", "used", "origin", "licence"), rows, of_numbers=False)


def _fraction(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"
