"""Face or no face, from scikit-image."""

from __future__ import annotations

import numpy as np

from supernet_tl.data.card import DataCard
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import ArrayStore
from supernet_tl.data.sources.pocket.packages import package_file

_NUM_FACES = 100  # the file holds the faces first, then as many pieces of background


def faces() -> ImageSet:
    """The 100 faces and 100 pieces of background of 25 x 25 pixels that scikit-image carries."""
    levels = np.load(package_file("skimage", "data/lfw_subset.npy"), allow_pickle=False)  # 0..1
    images = np.rint(levels * 255).astype(np.uint8)
    labels = (np.arange(len(images)) < _NUM_FACES).astype(np.int64)
    return ImageSet(
        name="faces",
        class_names=("background", "face"),
        labels=labels,
        store=ArrayStore(images),
        card=DataCard(
            name="faces",
            origin="scikit-image, lfw_subset: cut from 'Labeled Faces in the Wild' (Huang et al. 2012)",
            licence="not stated by scikit-image for this file; photographs of people, for trials only",
            description="Grey cut-outs of 25 x 25 pixels: a face, or a piece of the background of such a photograph.",
            domain="faces",
            num_images=len(images),
            num_classes=2,
            mirror_safe=True,
        ),
    )
