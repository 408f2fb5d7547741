"""The recipes that come with the package: what each is for, and where it lies; nothing heavy is imported for it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supernet_tl.errors import RecipeError
from supernet_tl.recipe import meant

_SUFFIX = ".yaml"
_FIELD = re.compile(r"([A-Z][a-z]+): +(.*)")


@dataclass(frozen=True)
class ShippedRecipe:
    """A recipe file, with what its head says.

    Attributes:
        name: folder and file, as ``transfer/paper``.
        path: of the file.
        about: what it does.
        fields: further parts of its head, in order: what it ``Needs``, the ``Command``, the ``Result``.
    """

    name: str
    path: str
    about: str
    fields: dict[str, str]

    @property
    def sentence(self) -> str:
        """The first sentence of what it does, as far as its first colon."""
        return re.split(r"(?<=[^.]{4})\.(?: |$)|: ", self.about, maxsplit=1)[0]

    @property
    def verb(self) -> str:
        """The verb that takes it: the last of its command."""
        found = re.findall(r"supernet-tl ([a-z-]+)", self.fields.get("Command", ""))
        return found[-1] if found else ""

    @property
    def lies_over(self) -> tuple[str, ...]:
        """Names of the recipes that its command gives before it."""
        names = re.findall(r"--config recipes/(\S+)\.yaml", self.fields.get("Command", ""))
        return tuple(names[: names.index(self.name)]) if self.name in names else ()

    @property
    def text(self) -> str:
        """The file."""
        return Path(self.path).read_text(encoding="utf-8")

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {**asdict(self), "sentence": self.sentence, "verb": self.verb, "lies_over": list(self.lies_over)}


def recipes_dir() -> Path:
    """Where they lie: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "recipes"
    return installed if installed.is_dir() else package.parent / "recipes"


def shipped_recipes() -> dict[str, ShippedRecipe]:
    """All recipes by name."""
    root = recipes_dir()
    paths = sorted(root.rglob(f"*{_SUFFIX}"))
    names = [path.relative_to(root).with_suffix("").as_posix() for path in paths]
    return {name: _read(name, path) for name, path in zip(names, paths, strict=True)}


def find_recipe(name: str) -> ShippedRecipe:
    """The recipe of a name, with or without ``.yaml``.

    Raises:
        RecipeError: there is none.
    """
    known = shipped_recipes()
    wanted = name.removeprefix("recipes/").removesuffix(_SUFFIX)
    if wanted not in known:
        raise RecipeError(
            f"there is no recipe {name!r}{meant(wanted, tuple(known))}; `supernet-tl recipe list` tells the "
            f"{len(known)} that there are."
        )
    return known[wanted]


def composed_settings(name: str) -> dict[str, Any]:
    """The settings of a recipe over those of the recipes that its command gives before it.

    Raises:
        RecipeError: there is no such recipe.
    """
    import yaml  # of the few callers that read what recipes hold

    recipe, settings = find_recipe(name), dict[str, Any]()
    for one in (*recipe.lies_over, recipe.name):
        settings |= yaml.safe_load(find_recipe(one).text)
    return settings


def copy_recipe(name: str, output: str | os.PathLike[str] | None = None, *, overwrite: bool = False) -> Path:
    """Copy a recipe to change it.

    Args:
        name: of the recipe.
        output: a file, or a folder that is there; the file's own name in the working directory when absent.
        overwrite: replace a file that is there.

    Raises:
        RecipeError: there is no such recipe, or the file is there.
    """
    recipe = find_recipe(name)
    target = Path(output) if output is not None else Path()
    if target.is_dir():
        target = target / Path(recipe.path).name
    if target.exists() and not overwrite:
        raise RecipeError(f"{target} is there already; replace it with --overwrite, or give another --output.")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(recipe.path, target)
    return target


def with_recipes_found(arguments: Sequence[str]) -> list[str]:
    """The arguments of a command line, in which ``--config NAME`` of a recipe that is no file stands for its path.

    As recipes write of each other, ``recipes/NAME.yaml`` is such a name too.
    """
    found = list(arguments)
    for index, argument in enumerate(found):
        if argument.startswith("--config="):
            found[index] = "--config=" + _located(argument.removeprefix("--config="))
        elif index and found[index - 1] == "--config":
            found[index] = _located(argument)
    return found


def _located(value: str) -> str:
    if os.path.exists(value) or not re.fullmatch(r"[\w/.-]+", value):
        return value
    recipe = shipped_recipes().get(value.removeprefix("recipes/").removesuffix(_SUFFIX))
    return value if recipe is None else recipe.path


def _read(name: str, path: Path) -> ShippedRecipe:
    about: list[str] = []
    fields: dict[str, str] = {}
    field = None
    for line in _head(path):
        if (match := _FIELD.fullmatch(line)) is not None:
            field = match[1]
            fields[field] = match[2]
        elif field is None:
            about.append(line)
        elif line:
            fields[field] += " " + line
    return ShippedRecipe(name, str(path), " ".join(about).strip(), fields)


def _head(path: Path) -> Iterator[str]:
    """The comment that a recipe begins with, line by line, without its signs."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            return
        yield line.removeprefix("#").strip()
