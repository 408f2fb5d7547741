"""What the final network takes for what: its confusions on the test images, and the mistakes it is surest of."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from supernet_tl.files import path_as_text
from supernet_tl.network_file import Classifier
from supernet_tl.prepared_data import PreparedData

SCHEMA = 1
MISTAKES_FILE = "mistakes.json"
IMAGES_FILE = "mistakes.safetensors"
_CHUNK = 512
_NUM_SHOWN = 24


def mistakes_of(classifier: Classifier, data: PreparedData) -> tuple[dict[str, Any], Tensor]:
    """Confusions and the surest mistakes on the test images, which this looks at.

    Args:
        classifier: the final network.
        data: of one image set.

    Returns:
        Plain JSON values: ``confusion``, by true and by predicted class how many test images; ``num_wrong``; and
        ``surest``, up to 24 mistakes, the surest first: index and path of the image in its set, class and taken-for
        class, and the probabilities that the network gives the two. And the images of these, uint8 (n, c, s, s).
    """
    test, rows = data.test, np.asarray(data.splits[0].test)
    labels = test.labels.cpu()
    parts = [
        classifier.predict(test.pixels.gather(torch.arange(start, min(start + _CHUNK, len(test)))).cpu())
        for start in range(0, len(test), _CHUNK)
    ]
    probabilities = torch.cat(parts) if parts else torch.empty(0, data.num_classes)
    best, predicted = probabilities.max(dim=1)
    confusion = torch.zeros(data.num_classes, data.num_classes, dtype=torch.int64)
    confusion.index_put_((labels, predicted), torch.ones_like(labels), accumulate=True)
    wrong = (predicted != labels).nonzero().flatten()
    surest = wrong[best[wrong].argsort(descending=True, stable=True)][:_NUM_SHOWN]
    names, paths = data.class_names, getattr(data.image_sets[0].store, "paths", None)
    listed = [
        {
            "index": int(rows[row]),
            "path": None if paths is None else path_as_text(paths[rows[row]]),
            "class": names[labels[row]],
            "taken_for": names[predicted[row]],
            "probability": float(best[row]),
            "probability_of_class": float(probabilities[row, labels[row]]),
        }
        for row in surest.tolist()
    ]
    values = {
        "schema_version": SCHEMA,
        "confusion": confusion.tolist(),
        "num_wrong": len(wrong),
        "surest": listed,
    }
    return values, test.pixels.gather(surest).cpu()
