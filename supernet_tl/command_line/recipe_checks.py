"""Check recipes by the very parsers and values that will take them."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from supernet_tl.command_line.evaluation_parser import FIELDS as EVALUATION_FIELDS
from supernet_tl.command_line.settings import ALL
from supernet_tl.command_line.verb_parsers import build_parser
from supernet_tl.errors import RecipeError
from supernet_tl.recipe import TRANSFER_ONLY, Recipe, meant, refuse_final_settings
from supernet_tl.shipped_recipes import find_recipe, shipped_recipes

_NEEDED: Mapping[str, tuple[str, ...]] = {
    "transfer": ("--target", "t", "--zoo", "z", "--output", "o"),
    "search": ("--target", "t", "--output", "o"),
    "select": ("--target", "t", "--zoo", "z"),
    "pretrain": ("--source", "s", "--zoo", "z"),
    "leave-one-out": (),
    "fit": (),
}
"""The verbs that take recipes, and arguments that stand for what a recipe does not hold."""


def files_of(names: Sequence[str]) -> list[str]:
    """The files that are meant: as they are, or of shipped recipes.

    Raises:
        RecipeError: there is no such file, nor a recipe of that name.
    """
    return [name if Path(name).is_file() else find_recipe(name).path for name in names]


def verb_of(files: Sequence[str]) -> str:
    """The verb that recipes are for.

    It is that of the first shipped recipe that lies over no other; else the settings of one's own recipes tell; where
    they do not, it is that of the first shipped one.
    """
    by_path = {str(Path(recipe.path).resolve()): recipe for recipe in shipped_recipes().values()}
    found = {file: by_path.get(str(Path(file).resolve())) for file in files}
    shipped = [recipe for recipe in found.values() if recipe is not None and recipe.verb in _NEEDED]
    standing = [recipe.verb for recipe in shipped if not recipe.lies_over]
    own = {name: value for file, recipe in found.items() if recipe is None for name, value in _content(file).items()}
    return next(iter((*standing, *_told_by(own), *(recipe.verb for recipe in shipped), "transfer")))


def _told_by(settings: Mapping[str, Any]) -> Iterator[str]:
    """The verb, where settings are of one alone."""
    given = set(settings)
    if given & (set(EVALUATION_FIELDS) - {"select", "mixture", "target"}):  # which other verbs have too
        yield "leave-one-out"
    if given & {"trainer", "model", "data"}:
        yield "fit"
    if "source" in given or isinstance(settings.get("mixture"), bool):
        yield "pretrain"
    if given & (TRANSFER_ONLY | {"target", "select"}):
        yield "transfer"


def check_recipes(files: Sequence[str], verb: str) -> None:
    """Refuse recipes that a verb would refuse, laid over each other in this order.

    Args:
        files: the recipes.
        verb: that will take them.

    Raises:
        RecipeError: with the faults.
    """
    if verb not in _NEEDED:
        raise RecipeError(f"--verb is {verb!r}{meant(verb, tuple(_NEEDED))}; expected one of {', '.join(_NEEDED)}.")
    for file in files:
        _content(file)
    arguments = [f"--config={file}" for file in files]
    said = io.StringIO()
    try:
        with (
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")  # of what is printed and thrown away
            if verb == "fit":
                from supernet_tl.command_line import lightning_cli

                lightning_cli.main(["fit", *arguments, "--print_config=skip_default"])  # parses, and trains nothing
                return
            config = build_parser().parse_args([verb, *_NEEDED[verb], *arguments])[verb]
    except SystemExit as ended:
        if ended.code not in (0, None):
            raise RecipeError(_sentence(said.getvalue())) from ended
        return
    if verb == "leave-one-out":
        from supernet_tl.command_line.evaluation_parser import evaluation_fields
        from supernet_tl.evaluating.recipe import EvaluationRecipe

        EvaluationRecipe.from_dict(evaluation_fields(config))
        return
    given = {name: config[name] for name in ALL if config.get(name) is not None}
    recipe = Recipe.from_options(given)
    if verb == "pretrain":
        refuse_final_settings(given)
    if verb in ("transfer", "search"):
        recipe.with_final()


def _content(file: str) -> dict[str, Any]:
    """What a file holds.

    Raises:
        RecipeError: it is no YAML, or no settings by name.
    """
    try:
        found = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} is no YAML: {' '.join(str(error).split())}.") from error
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise RecipeError(f"{file} holds {type(found).__name__}; expected settings, each as `name: value`.")
    return found


def _sentence(said: str) -> str:
    """What a parser said before it ended, without the usage."""
    found = re.search(r"error: (.*)", said, re.DOTALL)
    return " ".join((said if found is None else found[1]).split())
