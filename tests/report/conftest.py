"""Run folders with small real content: written by the project's own writers, discretized from real alphas."""

from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

import darts
from supernet_tl.files import write_json
from supernet_tl.recipe import Recipe
from supernet_tl.report import build_report
from supernet_tl.training.history import EpochRow, best_validation_accuracy, time_to_accuracy, write_csv

THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.99)
WARM_ACCURACIES = (0.401, 0.602, 0.797, 0.85, 0.858, 0.872)
SCRATCH_ACCURACIES = (0.101, 0.102, 0.203, 0.304, 0.405, 0.506)
RunWriter = Callable[..., Path]


def dataset_card(name: str = "digits", **changes: Any) -> dict[str, Any]:
    """A data card as summaries hold it."""
    return {
        "name": name,
        "origin": f"where {name} comes from",
        "licence": "CC BY 4.0",
        "description": "Handwritten digits.",
        "domain": "handwriting",
        "num_images": 1797,
        "num_classes": 10,
        "mirror_safe": False,
        "fingerprint": "fa24" * 16,
        "splits": {"weight": 100, "architecture": 101, "validation": 358, "test": 359, "unused": 879},
        "normalisation": {"mean": [0.3, 0.3, 0.3], "std": [0.3, 0.3, 0.3]},
        "skipped": 0,
        "dropped_classes": [],
        **changes,
    }


def ranked(name: str, squared: float, *, chosen: bool = False, draws: Sequence[float] | None = None) -> dict[str, Any]:
    """A row of ``ranking.json``."""
    return {
        "entry": (name.encode().hex() * 64)[:64],
        "name": name,
        "kind": "single",
        "chosen": chosen,
        "distance": squared**0.5 if squared >= 0 else None,
        "squared": squared,
        "spread": 1.0,
        "draws": list(draws) if draws is not None else [squared - 1.0, squared, squared + 1.0],
        "rows": [200, 200],
        "converged": True,
        "marginal_error": 0.0,
        "labels_target": ["0", "1"],
        "labels_source": ["0", "1"],
        "label_distances": [[1.0, 2.0], [2.0, 1.0]],
    }


def write_run(
    folder: Path,
    *,
    source: str | None = "mnist5k",
    accuracies: Sequence[float] = WARM_ACCURACIES,
    seconds_per_epoch: float = 0.5,
    test_accuracy: float = 0.914,
    supernet_test_accuracy: float = 0.881,
    target: Mapping[str, Any] | None = None,
    class_names: Sequence[str] = tuple("0123456789"),
    recipe: Mapping[str, Any] | None = None,
    ranking: Sequence[Mapping[str, Any]] | None = None,
    excluded: Sequence[Mapping[str, str]] = (),
    select: str = "nearest",
    samples: bool = True,
    changes: Mapping[str, Any] | None = None,
) -> Path:
    """Write a finished run folder."""
    settings = Recipe.from_options(
        {"channels": 8, "num_cells": 4, "image_size": 16, "epochs": len(accuracies), "finetune_epochs": 4}
        | dict(recipe or {})
    )
    space = darts.SPACES[settings.space]
    generator = np.random.default_rng(settings.seed)
    alphas = generator.normal(size=(2, len(accuracies) + 1, space.num_edges, space.num_primitives)).cumsum(axis=1) / 10
    genotype = darts.discretize(space, torch.tensor(alphas[0, -1]), torch.tensor(alphas[1, -1]))
    mixing = torch.softmax(torch.tensor(alphas, dtype=torch.float32), dim=-1).numpy()
    search = [
        EpochRow("search", epoch, epoch * seconds_per_epoch, validation_accuracy=accuracy, num_skip_connections=4)
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]
    final = [EpochRow("finetune", epoch, epoch * 1.0, validation_accuracy=0.2 * epoch) for epoch in range(1, 5)]
    card = dataset_card(**dict(target or {}))
    best = best_validation_accuracy(search)
    folder.mkdir(parents=True)
    write_json(folder / "run.json", {"schema_version": 1, "verb": "transfer", "settings": {}, "finished": True})
    write_csv(folder / "metrics.csv", [*search, *final])
    save_file({"normal": mixing[0], "reduction": mixing[1]}, folder / "mixing_weights.safetensors")
    if samples:
        sides = ("target",) if source is None else ("target", "source")
        images = {side: generator.integers(0, 256, (24, 3, 48, 48), dtype=np.uint8) for side in sides}
        save_file(images, folder / "samples.safetensors")
    if source is not None:
        rows = ranking if ranking is not None else [ranked(source, 5728.0, chosen=True), ranked("faces", 9025.0)]
        write_json(
            folder / "ranking.json",
            {
                "schema_version": 1,
                "select": select,
                "chosen": rows[0]["entry"],
                "num_evaluated": len(rows),
                "rows_compared": 200,
                "unit": "squared OTDD in embedding units squared; distance is its root",
                "ranking": list(rows),
                "excluded": list(excluded),
            },
        )
    summary = {
        "schema_version": 1,
        "verb": "search" if source is None else "transfer",
        "created": "2026-03-04T05:06:07+00:00",
        "target": {**card, "class_names": list(class_names), "skipped_images": [], "ignored_files": 0},
        "source": None
        if source is None
        else {
            "select": select,
            "has_seen_target": False,
            "entry": "ab" * 32,
            "name": source,
            "kind": "mixture" if "+" in source else "single",
            "data": [dataset_card(name) for name in source.split("+")],
            "metrics": {"validation_accuracy": 0.902, "test_accuracy": 0.898},
            "squared_distance": 5728.0,
            "distance": 75.7,
            "rows_compared": 200,
            "num_evaluated": 2,
        },
        "warm_start": None
        if source is None
        else {"copied": 408, "reinitialised": ["classifier.weight", "classifier.bias"], "unused": ["old.weight"]},
        "recipe": settings.to_dict(),
        "genotype": genotype.to_dict(),
        "num_skip_connections": genotype.count("skip_connect"),
        "supernet": {
            "validation_accuracy": accuracies[-1],
            "test_accuracy": supernet_test_accuracy,
            "best_validation_accuracy": best,
            "num_parameters": 60354,
            "macs": 2500352,
        },
        "network": {
            "validation_accuracy": 0.911,
            "test_accuracy": test_accuracy,
            "final": settings.final,
            "channels": 8,
            "num_cells": 4,
            "num_parameters": 26834,
            "macs": 1227008,
        },
        "time_to_accuracy": [vars(time_to_accuracy(search, accuracy)) for accuracy in THRESHOLDS],
        "time_to_best": None if best is None else vars(time_to_accuracy(search, best)),
        "seconds": {"search": search[-1].seconds, "finetune": 9.9} | ({} if source is None else {"selection": 1.4}),
        "versions": {"supernet-tl": "0.1.0", "torch": "2.6.0"},
        **dict(changes or {}),
    }
    write_json(folder / "summary.json", summary)
    return folder


def write_scratch_run(folder: Path, **settings: Any) -> Path:
    """Write a finished search from scratch that never does as well as :func:`write_run`'s transfer."""
    values: dict[str, Any] = {
        "source": None,
        "accuracies": SCRATCH_ACCURACIES,
        "seconds_per_epoch": 0.6,
        "test_accuracy": 0.844,
        "supernet_test_accuracy": 0.5,
    }
    return write_run(folder, **(values | settings))


class Page(HTMLParser):
    """A page as the tests read it: elements with attributes, and the text of each."""

    VOID = frozenset({"meta", "img", "br", "link", "hr", "input", "rect", "line", "path", "polyline", "use"})

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._open: list[int] = []
        self.feed(self.source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append("")
        if tag not in self.VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            if self.elements[self._open.pop()][0] == tag:
                break

    def handle_data(self, data: str) -> None:
        for index in self._open:
            self.texts[index] += data

    def attributes(self, tag: str, **wanted: str) -> list[dict[str, str]]:
        """Attributes of every such element; ``css`` stands for ``class`` and asks for one of its words."""
        return [attributes for attributes, _ in self._found(tag, wanted)]

    def text(self, tag: str, **wanted: str) -> list[str]:
        """The text of every such element, white space as it is read."""
        return [" ".join(text.split()) for _, text in self._found(tag, wanted)]

    def rows(self, head: str) -> list[list[str]]:
        """The cells of every table row that begins so."""
        found: list[list[str]] = []
        inside = False
        for (tag, attributes), text in zip(self.elements, self.texts, strict=True):
            words = " ".join(text.split())
            if tag == "tr":
                inside = False
            elif tag == "th" and attributes.get("scope") == "row" and words == head:
                inside = True
                found.append([])
            elif tag == "td" and inside:
                found[-1].append(words)
        return found

    @property
    def body(self) -> str:
        """All text of the page."""
        return self.text("body")[0]

    def _found(self, tag: str, wanted: Mapping[str, str]) -> list[tuple[dict[str, str], str]]:
        return [
            (attributes, text)
            for (name, attributes), text in zip(self.elements, self.texts, strict=True)
            if name == tag
            and all(
                value in attributes.get("class", "").split() if key == "css" else attributes.get(key) == value
                for key, value in wanted.items()
            )
        ]


@pytest.fixture(scope="session")
def make_run() -> RunWriter:
    """Writes a finished run folder: :func:`write_run`."""
    return write_run


@pytest.fixture(scope="session")
def make_scratch_run() -> RunWriter:
    """Writes a finished search from scratch: :func:`write_scratch_run`."""
    return write_scratch_run


@pytest.fixture(scope="session")
def make_card() -> Callable[..., dict[str, Any]]:
    """Makes a data card: :func:`dataset_card`."""
    return dataset_card


@pytest.fixture(scope="session")
def make_ranked() -> Callable[..., dict[str, Any]]:
    """Makes a row of a ranking: :func:`ranked`."""
    return ranked


@pytest.fixture(scope="session")
def read_page() -> Callable[[Path], Page]:
    """Reads a page as a browser does."""
    return Page


@pytest.fixture
def transfer_run(tmp_path: Path) -> Path:
    """A finished transfer to digits from mnist5k."""
    return write_run(tmp_path / "transfer")


@pytest.fixture
def scratch_run(tmp_path: Path) -> Path:
    """A finished search from scratch on the same digits, with the same seed."""
    return write_scratch_run(tmp_path / "scratch")


@pytest.fixture(scope="session")
def transfer_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of a transfer that nothing is compared with."""
    return Page(build_report(write_run(tmp_path_factory.mktemp("runs") / "transfer")))


@pytest.fixture(scope="session")
def compared_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of the same transfer beside the search from scratch."""
    runs = tmp_path_factory.mktemp("runs")
    scratch = write_scratch_run(runs / "scratch")
    return Page(build_report(write_run(runs / "transfer"), {"from scratch": scratch}))


@pytest.fixture(scope="session")
def scratch_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The page of the search from scratch alone."""
    return Page(build_report(write_scratch_run(tmp_path_factory.mktemp("runs") / "scratch")))
