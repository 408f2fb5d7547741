"""What the actions of ``supernet-tl recipe`` do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jsonargparse import Namespace

from supernet_tl.errors import RecipeError
from supernet_tl.shipped_recipes import copy_recipe, find_recipe, shipped_recipes
from supernet_tl.terminal.output import OUT, print_json, table_of


def run(config: Namespace) -> None:
    """Run the action that was parsed."""
    _ACTIONS[config.action](config[config.action])


def _list(config: Namespace) -> None:
    found = list(shipped_recipes().values())
    if config.folder is not None:
        folders = sorted({recipe.name.partition("/")[0] for recipe in found})
        wanted = config.folder.rstrip("/")
        found = [recipe for recipe in found if recipe.name.startswith(f"{wanted}/")]
        if not found:
            raise RecipeError(f"there are no recipes of {config.folder!r}; expected one of {', '.join(folders)}.")
    if config.json:
        print_json([recipe.to_dict() for recipe in found])
        return
    table = table_of("recipe", "verb", "what it does")
    for recipe in found:
        table.add_row(recipe.name, recipe.verb, recipe.sentence)
    OUT.print(table)


def _show(config: Namespace) -> None:
    recipe = find_recipe(config.name)
    if config.json:
        print_json({**recipe.to_dict(), "text": recipe.text})
    else:
        OUT.print(recipe.text.rstrip("\n"), soft_wrap=True)


def _copy(config: Namespace) -> None:
    file = copy_recipe(config.name, config.output, overwrite=bool(config.overwrite))
    if config.json:
        print_json({"file": str(file)})
    else:
        OUT.print(f"{file}: give it with --config {file}", soft_wrap=True)


def _validate(config: Namespace) -> None:
    from supernet_tl.command_line.recipe_checks import check_recipes, files_of, verb_of

    files = files_of(config.files)
    verb = config.verb or verb_of(files)
    check_recipes(files, verb)
    if config.json:
        print_json({"files": files, "verb": verb, "valid": True})
    else:
        OUT.print(f"valid, for `supernet-tl {verb}`: {', '.join(files)}", soft_wrap=True)


_ACTIONS: Mapping[str, Callable[[Namespace], None]] = {
    "list": _list,
    "show": _show,
    "copy": _copy,
    "validate": _validate,
}
