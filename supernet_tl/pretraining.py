"""Algorithm 1: a supernet for each source, kept in a zoo; one for the mixture of all (algorithm 3).

Source: Singh & Vanschoren, "On Supernet Transfer Learning for Effective Task Adaptation" (arXiv:2407.20279).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo_store
from supernet_tl import adapters
from supernet_tl.adapt import search_supernet
from supernet_tl.cards import data_of, embedder_of
from supernet_tl.control import Control, Source
from supernet_tl.data import ImageSet, StoredSplits
from supernet_tl.data_health import examine_sources
from supernet_tl.errors import RecipeError
from supernet_tl.prepared_data import mix, pinned
from supernet_tl.recipe import PRETRAIN_DEFAULTS, Recipe, digest, refuse_final_settings
from supernet_tl.run_folder import is_finished, run_folder
from supernet_tl.summary import pretraining_summary
from supernet_tl.terminal.console import counted
from supernet_tl.zoos import folder_of_runs, open_zoo, readable_cards, zoo_default


def pretrain(
    sources: Source | Sequence[Source],
    zoo: zoo_store.Zoo | str | os.PathLike[str] | None = None,
    space: str = "s1",
    channels: int = 16,
    num_cells: int = 8,
    epochs: int = 50,
    embedder: str | None = None,
    mixture: bool = False,
    seed: int = 0,
    *,
    output: str | os.PathLike[str] | None = None,
    tags: Sequence[str] = (),
    control: Control | None = None,
    **options: Any,
) -> zoo_store.ZooEntry | list[zoo_store.ZooEntry]:
    """Search a supernet on each source from random weights, and add it to a zoo.

    An entry that the zoo already holds for the same images and settings is not made again. Interrupted pretraining is
    continued when the same call is made again with a zoo or an output.

    Args:
        sources: folders, Meta-Album folders, ``pocket:NAME`` or image sets; one or several.
        zoo: gets the entries.
        space: name of the search space.
        channels: of the supernet's first cells.
        num_cells: of the supernet.
        epochs: of the search.
        embedder: network whose embeddings of the source are kept for selection; when absent that of the entries which
            the zoo holds, for a new zoo ``resnet18.tv_in1k``.
        mixture: one supernet with one head for all sources together.
        seed: of everything random.
        output: folder of the runs (logs, metrics); ``ZOO/.runs`` when absent.
        tags: texts to find the entries by. A supernet that the zoo holds without them is added once more, with them.
        control: device, overwriting, bad images.
        **options: further fields of :class:`supernet_tl.Recipe`, such as ``image_size`` or ``batch_size``.

    Returns:
        One entry, or a list of them when several sources are not mixed.

    Raises:
        RecipeError: an option is unknown or out of range, or a tag is no text.
        StarterZooError: the zoo is the one that the package ships.
        DataError: a source that cannot be used.
    """
    control = control or Control()
    given = {name: value for name, value in options.items() if value is not None}
    store = None if zoo is None else open_zoo(zoo, to_write=True)
    refuse_final_settings(given)
    settings = dict(space=space, channels=channels, num_cells=num_cells, epochs=epochs, seed=seed, **given)
    embedding = _zoos_own(store, control) if embedder is None else {"embedder": embedder}
    recipe, stored = pinned(Recipe.from_options({**PRETRAIN_DEFAULTS, **embedding, **settings}))
    listed = [sources] if isinstance(sources, str | os.PathLike | ImageSet) else list(sources)
    if not listed:
        raise RecipeError("no sources were given; expected at least one folder, pocket:NAME or image set.")
    if mixture and len(listed) < 2:
        raise RecipeError("a mixture of one source was asked for; give two or more sources, or leave --mixture out.")
    tags = _checked_tags(tags)
    opened = [control.open(source, image_size=recipe.size_of_all_images) for source in listed]
    if mixture:
        _refuse_repeated(opened)
    runs = Path(output) if output is not None else None if store is None else folder_of_runs(store, has_output=False)
    # That one of several sources cannot be embedded must be known before hours of training on another.
    adapters.embedder_of(recipe, control.device)
    groups = [opened] if mixture else [[images] for images in opened]
    entries = [_pretrain_one(group, store, recipe, stored, runs, control, tags) for group in groups]
    return entries[0] if len(entries) == 1 else entries


def _zoos_own(zoo: zoo_store.Zoo | None, control: Control) -> dict[str, Any]:
    """What the entries of a zoo agree on of their embedding; nothing where there are none."""
    if zoo is None or not zoo.exists():
        return {}
    found = {name: zoo_default(zoo, name) for name in ("embedder", "embed_size", "embed_precision")}
    if found["embedder"] not in (None, Recipe.embedder):
        control.say(f"embedder: {found['embedder']}, as of the zoo's entries")
    return {name: value for name, value in found.items() if value is not None} if found["embedder"] else {}


def _checked_tags(tags: Sequence[str]) -> list[str]:
    if isinstance(tags, str) or not all(isinstance(tag, str) and tag.strip() for tag in tags):
        raise RecipeError(f"tags is {tags!r}; expected a list of texts that are not empty, such as ['plankton'].")
    return list(dict.fromkeys(tags))


def _refuse_repeated(sources: Sequence[ImageSet]) -> None:
    contents = [images.content_fingerprint() for images in sources]
    for what, values in (("images", contents), ("name", [images.name for images in sources])):
        if len(set(values)) < len(values):
            names = ", ".join(images.name for images in sources)
            raise RecipeError(
                f"the sources {names} have the same {what} twice; a mixture needs different ones, because its classes "
                "are named source/class. Give each source once, and rename folders of the same name."
            )


def _pretrain_one(
    group: Sequence[ImageSet],
    zoo: zoo_store.Zoo | None,
    recipe: Recipe,
    stored: StoredSplits | None,
    runs: Path | None,
    control: Control,
    tags: Sequence[str],
) -> zoo_store.ZooEntry:
    name = "+".join(images.name for images in group)
    fingerprints = [images.fingerprint() for images in group]
    settings = {"recipe": recipe.to_dict(), "data": fingerprints}
    folder = None if runs is None else runs / f"{_file_name(name)}-{digest(settings)[:12]}"
    known = None if zoo is None else _already_there(zoo, recipe, fingerprints, control, tags)
    if zoo is not None and known is not None:
        entry = _tagged(zoo, known, tags, control)
        if (
            folder is not None and folder.exists() and not is_finished(folder)
        ):  # stopped right after the entry was added
            with run_folder(folder, "pretraining", settings) as run:
                run.finish()
        return entry
    # The folder's name says what the run is, so a finished one whose entry is gone may be made anew.
    with run_folder(folder, "pretraining", settings, overwrite=control.overwrite, replace_finished=True) as run:
        if run.continued:
            control.say(f"{name}: continuing the unfinished pretraining in {run.path}")
        parts = [control.prepare(images, recipe, control.split(images, recipe, stored)) for images in group]
        data = parts[0] if len(parts) == 1 else mix(parts)
        run.write_json("splits.json", [one.to_dict(images) for one, images in zip(data.splits, group, strict=True)])
        health = examine_sources(data.image_sets, data.splits, control, recipe.image_size)
        # A source that cannot be sketched is not worth hours of training.
        with counted(f"embedding {name}", quiet=control.quiet) as progress:
            sketch = adapters.sketch_of(data.image_sets, data.splits, recipe, control.device, progress)
        searched = search_supernet(run, data, recipe, control, title=f"pretraining {name}")
        metrics: dict[str, float | None] = searched.scores(data, control.device)
        if (stopped := searched.stopped_early(recipe)) is not None:
            metrics["epochs"] = stopped["epoch"]
        entry = adapters.entry_of(
            data,
            recipe,
            searched.supernet,
            sketch,
            metrics=metrics,
            timings={"search_seconds": searched.rows[-1].seconds},
            tags=tags,
        )
        entry_id = zoo_store.content_id(entry) if zoo is None else zoo.add(entry)
        run.write_json("summary.json", pretraining_summary(entry_id, entry, data, recipe, searched, health))
        if zoo is not None:
            control.say(f"{name}: added to the zoo as {entry_id[:12]}")
        run.finish()
    return entry


def _already_there(
    zoo: zoo_store.Zoo, recipe: Recipe, fingerprints: list[str], control: Control, tags: Sequence[str]
) -> str | None:
    """The entry of the same settings, images and embedder, if the zoo has one; of several, one with all tags."""
    if not zoo.exists():
        return None
    embedder = adapters.embedder_of(recipe, control.device)
    cards, damaged = readable_cards(zoo)
    for entry_id, reason in damaged.items():
        control.say(f"the zoo has a damaged entry, {zoo.address}/{entry_id}: {reason}")
    same = []
    for entry_id, card in cards.items():
        same_data = [part.get("fingerprint") for part in data_of(card)] == fingerprints
        same_embedder = embedder_of(card).get("weights_sha256") == embedder.identity.weights_sha256
        if same_data and same_embedder and recipe.same_pretraining(card.get("recipe")):
            same.append(entry_id)
    return min(same, key=lambda entry_id: len(_lacking(cards[entry_id], tags)), default=None)


def _lacking(card: Mapping[str, Any], tags: Sequence[str]) -> list[str]:
    return [tag for tag in tags if tag not in (card.get("tags") or ())]


def _tagged(zoo: zoo_store.Zoo, entry_id: str, tags: Sequence[str], control: Control) -> zoo_store.ZooEntry:
    """An entry of the zoo, with all tags; entries never change, so one that lacks some is added again with them."""
    entry = zoo.get(entry_id)
    known = f"{entry.card.get('name')}: already in the zoo as {entry_id[:12]}"
    lacking = _lacking(entry.card, tags)
    if not lacking:
        control.say(f"{known}; nothing to do")
        return entry
    card = {**entry.card, "tags": [*(entry.card.get("tags") or ()), *lacking]}
    entry = zoo_store.ZooEntry(state=entry.state, sketch=entry.sketch, card=card)
    control.say(f"{known}; added once more, tagged {', '.join(lacking)}, as {zoo.add(entry)[:12]}")
    return entry


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in name)[:60]
