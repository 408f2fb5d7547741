"""Results tell what an image set does without."""

from __future__ import annotations

import json

import numpy as np

from supernet_tl.data import ArrayStore, DataCard, ImageProblem, ImageSet
from supernet_tl.left_out import MAX_LISTED, left_out


def test_what_is_left_out_is_counted_in_full_and_listed_up_to_a_limit() -> None:
    images = ImageSet(
        name="made",
        class_names=("a",),
        labels=np.zeros(1, dtype=np.int64),
        store=ArrayStore(np.zeros((1, 2, 2), dtype=np.uint8)),
        card=DataCard("made", "a test", "none", "Black.", "", 1, 1, True),
        skipped=tuple(ImageProblem(f"a/{number}.png", "the file is empty") for number in range(MAX_LISTED + 5)),
        dropped_classes=(("rare", 3), ("lone", 1)),
        ignored=tuple(f"{number}.txt" for number in range(40)),
        notes=("test/ is left out",),
    )
    told = left_out(images)
    assert json.loads(json.dumps(told)) == told
    assert told["num_skipped_images"] == MAX_LISTED + 5
    assert len(told["skipped_images"]) == MAX_LISTED
    assert told["skipped_images"][0] == {"path": "a/0.png", "reason": "the file is empty"}
    assert told["images_of_dropped_classes"] == {"rare": 3, "lone": 1}
    assert told["ignored_files"] == 40
    assert told["first_ignored_files"] == [f"{number}.txt" for number in range(10)]
    assert told["notes"] == ["test/ is left out"]
