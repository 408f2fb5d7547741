"""Use a trained network on image files."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
import torch

from supernet_tl.adapters import torch_device
from supernet_tl.control import Control
from supernet_tl.data.errors import CorruptImagesError, DecodeError, EmptySourceError, ImageProblem, SourceNotFoundError
from supernet_tl.data.names import IMAGE_SUFFIXES, is_clutter, is_image_name, readable
from supernet_tl.data.pixels.decode import read_rgb, to_square
from supernet_tl.data.pixels.stores import FileStore
from supernet_tl.data.sources.meta_album_folder import is_meta_album, open_meta_album
from supernet_tl.files import path_as_text, write_whole
from supernet_tl.network_file import Classifier, load_classifier

_CHUNK = 256


@dataclass(frozen=True)
class Prediction:
    """What the network says of one image.

    Attributes:
        path: the image.
        predicted: the likeliest class.
        probability: of that class.
        label: the true class where the folder tells it and the network knows it; None elsewhere.
    """

    path: str
    predicted: str
    probability: float
    label: str | None


@dataclass(frozen=True)
class Predictions:
    """Predictions for a folder.

    Attributes:
        rows: one for each image, in the order of the files.
        skipped: images that could not be read.
    """

    rows: tuple[Prediction, ...]
    skipped: tuple[ImageProblem, ...]

    @property
    def accuracy(self) -> float | None:
        """Share of the labelled images that are right; None where none is labelled."""
        labelled = [row for row in self.rows if row.label is not None]
        return sum(row.predicted == row.label for row in labelled) / len(labelled) if labelled else None

    def to_csv(self) -> str:
        """The rows as CSV with a header."""
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(Prediction)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in self.rows)
        return text.getvalue()


def predict(network: Path, images: Path, *, control: Control | None = None, output: Path | None = None) -> Predictions:
    """Classify the images of a folder.

    Labels are taken from labels.csv in a Meta-Album folder, and elsewhere from the outermost folder of an image that
    bears the name of one of the network's classes; where none does, from the name of the folder given.

    Args:
        network: the folder ``network`` of a run.
        images: an image, or a folder with images at any depth.
        control: device; whether unreadable images are skipped.
        output: gets the predictions as CSV.

    Raises:
        NetworkFileError: the first folder holds no network.
        DataError: there are no images, or unreadable ones.
    """
    control = control or Control()
    classifier = load_classifier(network)
    classifier.network.to(torch_device(control.device))
    files, labels = _labelled_files(images, classifier)
    rows: list[Prediction] = []
    problems: list[ImageProblem] = []
    for start in range(0, len(files), _CHUNK):
        chunk = range(start, min(start + _CHUNK, len(files)))
        pixels, read = [], []
        for index in chunk:
            try:
                pixels.append(np.asarray(to_square(read_rgb(files[index]), classifier.image_size)).transpose(2, 0, 1))
                read.append(index)
            except DecodeError as error:
                problems.append(error.problem)
        if read:
            probabilities = classifier.predict(torch.from_numpy(np.stack(pixels)))
            rows += _rows(
                classifier, probabilities, [files[index] for index in read], [labels[index] for index in read]
            )
    if problems and not control.skip_corrupt:
        named = "; ".join(f"{problem.path}: {problem.reason}" for problem in problems[:5])
        raise CorruptImagesError(
            f"{len(problems)} of {len(files)} images cannot be read ({named}{'; …' if len(problems) > 5 else ''}); "
            "repair them, or leave them out with --skip-corrupt.",
            problems,
        )
    result = Predictions(tuple(rows), tuple(problems))
    if output is not None:
        write_whole(output, result.to_csv().encode())
    return result


def _rows(
    classifier: Classifier, probabilities: torch.Tensor, files: Sequence[Path], labels: Sequence[str | None]
) -> list[Prediction]:
    values, indices = probabilities.max(dim=-1)
    return [
        Prediction(path_as_text(file), classifier.class_names[index], value, label)
        for file, index, value, label in zip(files, indices.tolist(), values.tolist(), labels, strict=True)
    ]


def _labelled_files(images: Path, classifier: Classifier) -> tuple[list[Path], list[str | None]]:
    known = set(classifier.class_names)
    if images.is_file():
        return [images], [None]
    if not images.is_dir():
        raise SourceNotFoundError(f"{images} does not exist; expected an image or a folder with images.")
    if is_meta_album(images):
        found = open_meta_album(images)
        if isinstance(found.store, FileStore):
            names = [found.class_names[label] for label in found.labels]
            return list(found.store.paths), [name if name in known else None for name in names]
    files = sorted(
        path
        for path in images.rglob("*")
        if is_image_name(path.name) and not any(is_clutter(part) for part in path.relative_to(images).parts)
    )
    if not files:
        raise EmptySourceError(
            f"{images} holds no images; expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}, at any depth."
        )
    folders = [[readable(part) for part in path.relative_to(images).parts[:-1]] for path in files]
    labels = [next((name for name in names if name in known), None) for names in folders]
    if not any(labels) and readable(images.resolve().name) in known:  # the images of one class
        labels = [readable(images.resolve().name)] * len(files)
    return files, labels
