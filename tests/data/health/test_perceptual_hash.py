"""What perceptual hashes and descriptors of small squares promise."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy.fft import dctn  # type: ignore[import-untyped, unused-ignore]

from supernet_tl.data.health.perceptual_hash import MARGINS, descriptors, hashes, similarity

Squares = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def smooth(num: int, seed: int = 0) -> Squares:
    fields = np.random.default_rng(seed).integers(40, 200, (num, 7, 7), dtype=np.uint8)
    enlarged = [Image.fromarray(field).resize((32, 32), Image.Resampling.BICUBIC) for field in fields]
    return np.stack([np.asarray(image) for image in enlarged])


def test_a_hash_is_the_signs_of_the_64_lowest_frequencies() -> None:
    squares = smooth(20)
    # Oracle: SciPy's discrete cosine transform; frequencies in the order of their sum, then down, without the constant.
    order = sorted(((i, j) for i in range(11) for j in range(11) if i + j), key=lambda place: (sum(place), place))[:64]
    signs = np.array([[dctn(square.astype(float))[place] > 0 for place in order] for square in squares])
    expected = np.packbits(signs, axis=1)
    assert np.array_equal(np.ascontiguousarray(hashes(squares)[:, 0]).view(np.uint8).reshape(-1, 8), expected)


def test_a_hash_knows_neither_brightness_nor_contrast() -> None:
    squares = smooth(20)
    changed = (squares // 2 + 30).astype(np.uint8)  # halving loses the lowest bit: signs of tiny coefficients may turn
    same = [bin(int(a) ^ int(b)).count("1") for a, b in zip(hashes(squares)[:, 0], hashes(changed)[:, 0], strict=True)]
    assert max(same) <= 3
    assert similarity(descriptors(squares)[:, 0], descriptors(changed)[:, 0]).min() > 0.999


def test_similarity_is_the_correlation_of_16_by_16_averages() -> None:
    a, b = smooth(10, seed=1), smooth(10, seed=2)
    found = similarity(descriptors(a)[:, 0], descriptors(b)[:, 0])
    # Oracle: NumPy's correlation coefficient of block means.
    small = [side.reshape(10, 16, 2, 16, 2).mean(axis=(2, 4)).reshape(10, -1) for side in (a, b)]
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(*small, strict=True)]
    np.testing.assert_allclose(found, expected, atol=0.01)  # descriptors have 8 bits
    np.testing.assert_allclose(similarity(descriptors(a)[:, 0], descriptors(a)[:, 0]), 1, atol=1e-6)


def test_the_inner_part_of_a_picture_is_like_its_crop() -> None:
    picture = Image.fromarray(np.random.default_rng(3).integers(0, 256, (7, 7), dtype=np.uint8)).resize((200, 200))
    whole = np.asarray(picture.resize((32, 32), Image.Resampling.BOX))[None]
    for view, margin in enumerate(MARGINS[1:], start=1):
        lost = round(200 * margin)
        crop = picture.crop((lost, lost, 200 - lost, 200 - lost)).resize((32, 32), Image.Resampling.BOX)
        cropped = np.asarray(crop)[None]
        assert similarity(descriptors(cropped)[:, 0], descriptors(whole)[:, view])[0] > 0.995
        assert bin(int(hashes(cropped)[0, 0]) ^ int(hashes(whole)[0, view])).count("1") <= 7


def test_a_flat_square_is_like_nothing() -> None:
    flat = np.full((1, 32, 32), 90, dtype=np.uint8)
    assert similarity(descriptors(flat)[:, 0], descriptors(smooth(1))[:, 0]).tolist() == [0]
