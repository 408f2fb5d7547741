"""Letters rendered from the fonts that matplotlib carries, bent and coloured at random, in the manner of OmniPrint.

Source: Sun et al. 2021, "OmniPrint: A Configurable Printed Character Synthesizer" (the kinds of distortion).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from supernet_tl.data.card import DataCard
from supernet_tl.data.errors import DataError, MissingPackageError
from supernet_tl.data.image_set import ImageSet
from supernet_tl.data.pixels.stores import ArrayStore
from supernet_tl.data.sources.pocket.packages import package_file

SCRIPTS: dict[str, str] = {
    "latin": "abcdefghijklmnopqrstuvwxyz",
    "greek": "αβγδεζηθικλμνξοπρστυφχψω",
    "cyrillic": "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
}

# Fonts with real outlines for letters. A font takes part in the scripts whose letters it has; symbol fonts, and the
# font of last resort (which claims every letter and draws boxes), are not listed. Test fonts are a family of their own.
_TRAIN_FONTS = (
    "DejaVuSans.ttf",
    "DejaVuSans-Bold.ttf",
    "DejaVuSans-Oblique.ttf",
    "DejaVuSansMono.ttf",
    "DejaVuSansMono-Bold.ttf",
    "DejaVuSansMono-Oblique.ttf",
    "STIXGeneral.ttf",
    "STIXGeneralBol.ttf",
    "STIXGeneralItalic.ttf",
    "cmr10.ttf",
    "cmss10.ttf",
    "cmtt10.ttf",
)
_TEST_FONTS = ("DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf", "DejaVuSerif-Italic.ttf", "DejaVuSerif-BoldItalic.ttf")

_SIZE = 32  # pixels a side
_CANVAS = 2 * _SIZE  # drawn at twice the size, then averaged down
_FONT_SIZE = 44  # pixels, on the canvas
_NUM_TRAIN, _NUM_TEST = 40, 10  # images of each letter
_TRAIN_STRENGTH, _TEST_STRENGTH = (0.0, 0.7), (0.7, 1.0)  # half-open: no test distortion is as weak as any in training
_SEED = 20240607

# What each distortion is at strength 1, in either direction.
_MAX_ROTATION = 0.3  # radians
_MAX_SHEAR = 0.3
_MAX_LOG_SCALE = 0.25
_MAX_SHIFT = 6.0  # pixels on the canvas
_MAX_BLUR = 1.6  # radius in pixels on the canvas
_MAX_NOISE = 12.0  # standard deviation in grey levels


@dataclass(frozen=True)
class _Jitter:
    """How n letters are distorted; every array has n rows."""

    rotation: NDArray[np.float64]
    shear: NDArray[np.float64]
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]  # (n, 2)
    blur: NDArray[np.float64]
    noise: NDArray[np.float64]
    stroke: NDArray[np.int64]
    ground: NDArray[np.float64]  # (n, 3), grey levels
    ink: NDArray[np.float64]  # (n, 3), grey levels


def glyphs(script: str) -> ImageSet:
    """The lower-case letters of one script, forty images a letter for training and ten for testing, 32 x 32 pixels.

    The test split uses a family of fonts that training never shows, and distortions stronger than any in training.

    Args:
        script: one of ``SCRIPTS``.
    """
    letters = SCRIPTS[script]
    rng = np.random.default_rng([_SEED, sorted(SCRIPTS).index(script)])
    train = _render(letters, _covering(_TRAIN_FONTS, letters), _NUM_TRAIN, _TRAIN_STRENGTH, rng)
    test = _render(letters, _covering(_TEST_FONTS, letters), _NUM_TEST, _TEST_STRENGTH, rng)
    labels = np.arange(len(letters))
    name = f"glyphs_{script}"
    return ImageSet(
        name=name,
        class_names=tuple(letters),
        labels=np.concatenate([np.repeat(labels, _NUM_TRAIN), np.repeat(labels, _NUM_TEST)]),
        store=ArrayStore(np.concatenate([train, test])),
        card=DataCard(
            name=name,
            origin="rendered from the DejaVu, STIX and Computer Modern fonts that matplotlib carries",
            licence="images: Apache-2.0, as this project; fonts: Bitstream Vera / DejaVu, STIX and BaKoMa licences",
            description=(
                f"Lower-case {script.capitalize()} letters, 32 x 32 pixels, distorted and coloured at random; test "
                f"letters use fonts and strengths of distortion that training never shows."
            ),
            domain="printed letters",
            num_images=len(train) + len(test),
            num_classes=len(letters),
            mirror_safe=False,
        ),
        official_test=np.arange(len(train) + len(test)) >= len(train),
    )


def _covering(fonts: Sequence[str], letters: str) -> list[str]:
    """Paths of the fonts that have a glyph of their own for every letter."""
    paths = [str(package_file("matplotlib", f"mpl-data/fonts/ttf/{font}")) for font in fonts]
    covering = [path for path in paths if all(ord(letter) in _code_points(path) for letter in letters)]
    if not covering:
        raise DataError(
            f"none of matplotlib's fonts {', '.join(fonts)} has all of {letters!r}; expected at least one. "
            f"Install another version of matplotlib."
        )
    return covering


@cache
def _code_points(path: str) -> frozenset[int]:
    try:
        from fontTools.ttLib import TTFont
    except ImportError as error:
        raise MissingPackageError(
            "the package 'fonttools', which matplotlib brings, is not installed. Run: pip install 'supernet-tl[demo]'"
        ) from error
    with TTFont(path, lazy=True) as font:
        return frozenset(font.getBestCmap())


def _render(
    letters: str, fonts: Sequence[str], num_each: int, strength: tuple[float, float], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Images of all letters, ``num_each`` of each in a row, shape (n, size, size, 3)."""
    num = len(letters) * num_each
    jitter = _draw_jitter(num, strength, rng)
    font_of = rng.integers(len(fonts), size=num)
    images = np.empty((num, _SIZE, _SIZE, 3), dtype=np.uint8)
    for row in range(num):
        mask = _mask(letters[row // num_each], fonts[font_of[row]], jitter, row)
        coloured = jitter.ground[row] + mask[:, :, None] * (jitter.ink[row] - jitter.ground[row])
        noisy = coloured + jitter.noise[row] * rng.standard_normal((_SIZE, _SIZE, 1))
        images[row] = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
    return images


def _draw_jitter(num: int, strength: tuple[float, float], rng: np.random.Generator) -> _Jitter:
    def one_sided(*shape: int) -> NDArray[np.float64]:
        return rng.uniform(*strength, size=(num, *shape))

    def two_sided(*shape: int) -> NDArray[np.float64]:
        signed: NDArray[np.float64] = one_sided(*shape) * rng.choice((-1.0, 1.0), size=(num, *shape))
        return signed

    dark, light = rng.uniform(0, 70, size=(num, 1)), rng.uniform(185, 255, size=(num, 1))
    light_ground = rng.random((num, 1)) < 0.5
    tint = rng.uniform(-40, 40, size=(2, num, 3)) * (rng.random((num, 1)) < 0.5)  # half of the letters are grey
    return _Jitter(
        rotation=two_sided() * _MAX_ROTATION,
        shear=two_sided() * _MAX_SHEAR,
        scale=np.exp(two_sided() * _MAX_LOG_SCALE),
        shift=two_sided(2) * _MAX_SHIFT,
        blur=one_sided() * _MAX_BLUR,
        noise=one_sided() * _MAX_NOISE,
        stroke=rng.integers(2, size=num),
        ground=np.where(light_ground, light, dark) + tint[0],
        ink=np.where(light_ground, dark, light) + tint[1],
    )


def _mask(letter: str, font_path: str, jitter: _Jitter, row: int) -> NDArray[np.float64]:
    """Where the ink is, 0..1, shape (size, size)."""
    upright = _upright(letter, font_path, int(jitter.stroke[row]))
    canvas = upright.transform(
        upright.size, Image.Transform.AFFINE, _inverse_affine(jitter, row), Image.Resampling.BICUBIC
    )
    blurred = canvas.filter(ImageFilter.GaussianBlur(float(jitter.blur[row])))
    return np.asarray(blurred.resize((_SIZE, _SIZE), Image.Resampling.BOX)) / 255


@cache
def _upright(letter: str, font_path: str, stroke: int) -> Image.Image:
    """The letter in white on black, its box centred on the canvas."""
    font = _font(font_path)
    left, top, right, bottom = font.getbbox(letter, stroke_width=stroke)
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    corner = ((_CANVAS - (right - left)) / 2 - left, (_CANVAS - (bottom - top)) / 2 - top)
    ImageDraw.Draw(canvas).text(corner, letter, fill=255, font=font, stroke_width=stroke)
    return canvas


@cache
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, _FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)


def _inverse_affine(jitter: _Jitter, row: int) -> tuple[float, float, float, float, float, float]:
    """From places on the distorted canvas to places on the upright one, both measured from the corner."""
    cos, sin = np.cos(jitter.rotation[row]), np.sin(jitter.rotation[row])
    forward = np.array([[cos, -sin], [sin, cos]]) @ np.array([[1.0, jitter.shear[row]], [0.0, 1.0]]) * jitter.scale[row]
    inverse = np.linalg.inv(forward)
    centre = np.full(2, _CANVAS / 2)
    offset = centre - inverse @ (centre + jitter.shift[row])
    return (inverse[0, 0], inverse[0, 1], offset[0], inverse[1, 0], inverse[1, 1], offset[1])
