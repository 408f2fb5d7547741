"""Spaces, distances and sources of images that other packages offer, as an installer would put them on the path."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import darts
import supernet_tl
from ot_select import OptionError, parse_distance
from supernet_tl.control import Control
from supernet_tl.data.errors import SourceNotFoundError, SourceOfferError
from supernet_tl.errors import RecipeError
from supernet_tl.recipe import Recipe
from supernet_tl.spaces import find_space, space_names
from tests.supernet_tl.conftest import EMBEDDING, TINY

CODE = """
import dataclasses
import darts
from ot_select import OTDD
from tests.supernet_tl.conftest import make_images

SPACE = darts.SearchSpace.uniform("skips-or-pools", ("skip_connect", "max_pool_3x3"))


@dataclasses.dataclass(frozen=True)
class Halved:
    name: str = "half-otdd"

    def __call__(self, cloud_a, cloud_b):
        found = OTDD()(cloud_a, cloud_b)
        return dataclasses.replace(found, squared=found.squared / 2)


DISTANCE = Halved()


def open_stripes(text):
    return make_images(text, seed=len(text))


def open_nothing(text):
    return text


number = 3
"""

Offer = Callable[[str, dict[str, str]], None]


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Offer:
    """Installs a distribution that offers things of a module in a group."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "others_own", raising=False)
    (tmp_path / "others_own.py").write_text(CODE)

    def put(group: str, things: dict[str, str]) -> None:
        distribution = f"others_{group.rpartition('.')[2]}"
        info = tmp_path / f"{distribution}-1.2.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        lines = [f"{name} = others_own:{thing}" for name, thing in things.items()]
        (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines, ""]))

    return put


def test_a_space_of_another_package_is_searched_from_pretraining_to_the_final_network(
    offer: Offer, tmp_path: Path, quiet: Control
) -> None:
    offer("supernet_tl.spaces", {"skips-or-pools": "SPACE"})
    assert "skips-or-pools" in space_names()
    settings = {**TINY, **EMBEDDING, "space": "skips-or-pools", "epochs": 1}
    supernet_tl.pretrain(_images("near"), tmp_path / "zoo", control=quiet, **settings)
    small = {name: value for name, value in settings.items() if name != "space"}  # the entry's
    result = supernet_tl.transfer(
        _images("target"), tmp_path / "zoo", output=tmp_path / "run", control=quiet, finetune_epochs=1, **small
    )
    ops = {name for name, _ in (*result.network.genotype.normal, *result.network.genotype.reduction)}
    assert ops <= {"skip_connect", "max_pool_3x3"}
    assert (tmp_path / "run/report.html").is_file()


def test_a_distance_of_another_package_ranks_sources(offer: Offer, zoo_path: Path, quiet: Control) -> None:
    offer("supernet_tl.distances", {"half-otdd": "DISTANCE"})
    usual = supernet_tl.select(_images("target"), zoo_path, control=quiet, **EMBEDDING)
    halved = supernet_tl.select(_images("target"), zoo_path, control=quiet, distance="half-otdd", **EMBEDDING)
    found = [row["squared"] for row in halved.to_dict()["ranking"]]
    assert found == pytest.approx([row["squared"] / 2 for row in usual.to_dict()["ranking"]])


def test_images_of_another_package_are_opened_by_their_prefix(
    offer: Offer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer("supernet_tl.data_sources", {"stripes": "open_stripes", "nothing": "open_nothing", "number": "number"})
    images = supernet_tl.data.open_image_set("stripes:four:five")
    assert (images.name, len(images)) == ("four:five", 48)
    with pytest.raises(SourceOfferError, match=r"'nothing' of others_data_sources 1.2 gave str for 'x'"):
        supernet_tl.data.open_image_set("nothing:x")
    with pytest.raises(SourceOfferError, match=r"'number' of others_data_sources 1.2 gave int"):
        supernet_tl.data.open_image_set("number:x")
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        supernet_tl.data.open_image_set("nobodys:x")
    # A file or folder of that very name is what it is.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stripes:here").mkdir()
    with pytest.raises(Exception, match="holds no image "):
        supernet_tl.data.open_image_set("stripes:here")


def test_names_of_this_project_cannot_be_taken(offer: Offer) -> None:
    offer("supernet_tl.spaces", {"s1": "SPACE"})
    assert find_space("s1") is darts.S1
    assert space_names().count("s1") == 1


def test_what_is_offered_and_is_none_is_refused_with_its_origin(offer: Offer) -> None:
    offer("supernet_tl.spaces", {"number": "number", "another-name": "SPACE", "gone": "no_such_thing"})
    offer("supernet_tl.distances", {"number": "number", "another-name": "DISTANCE"})
    for name in ("number", "another-name"):
        with pytest.raises(RecipeError, match=f"'{name}' of others_spaces 1.2 is .* a darts.SearchSpace of that name"):
            find_space(name)
        with pytest.raises(OptionError, match=f"'{name}' of others_distances 1.2 is .* a distance of that name"):
            parse_distance(name)
    with pytest.raises(RecipeError, match=r"'gone' of others_spaces 1.2 cannot be imported from others_own:no_such"):
        find_space("gone")
    with pytest.raises(
        RecipeError, match=r"space is 'numbr'; expected one of .*'number'.* \(did you mean 'number'\?\)"
    ):
        Recipe(space="numbr")
    with pytest.raises(OptionError, match=r"no distance 'numbr'; .*Did you mean 'number'"):
        parse_distance("numbr")


def _images(name: str) -> supernet_tl.data.ImageSet:
    from tests.supernet_tl.conftest import make_images

    return make_images(name, seed=len(name))
