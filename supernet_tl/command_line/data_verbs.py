"""What each action of ``supernet-tl data`` does, and how it shows the outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from rich.table import Table

from supernet_tl.data.album.download import get
from supernet_tl.data.album.fetching import Fetching
from supernet_tl.data.album.kept import KeptSet, damaged_cards, kept, verify
from supernet_tl.data.album.lookup import of_tag_or_group, select
from supernet_tl.data.album.removal import remove
from supernet_tl.data.album.source import named
from supernet_tl.data.album.table import AlbumVersion, album_versions, name_of, number_of
from supernet_tl.data.places import is_offline
from supernet_tl.errors import ProblemsFoundError, SelectionError
from supernet_tl.terminal.console import counted, say
from supernet_tl.terminal.output import OUT, print_json, size_in_words, table_of

_ROOM_FOR_DOMAINS = 110  # columns
_MOST_EXAMPLES = 1000  # of each finding, in JSON


def run(config: Namespace) -> None:
    """Run the action that was parsed."""
    _ACTIONS[config.action](config[config.action])


def _list(options: Namespace) -> None:
    here = {found.card.openml_id: found for found in kept()}
    versions = _listed(options.sets)
    shown = [
        version
        for version in versions
        if isinstance(version, AlbumVersion)
        and (options.version is None or version.version.lower() == options.version.lower())
        and (options.domain is None or _is_of_domain(version, options.domain))
        and (not options.kept or version.openml_id in here)
    ]
    others = [found for found in here.values() if found.version is None]
    if options.json:
        print_json([_version_dict(version, here.get(version.openml_id)) for version in shown])
        return
    table = _table_of_versions(shown, here)
    if table.row_count:
        OUT.print(table)
    else:
        OUT.print(
            "no set is kept here; `supernet-tl data get` downloads them"
            if options.kept and not here
            else "no set of Meta-Album fits; `supernet-tl data list` shows all",
            soft_wrap=True,
        )
    for found in others:
        size = size_in_words(found.card.num_bytes)
        OUT.print(f"also kept: openml:{found.card.openml_id}, {found.card.openml_name}, {size}", soft_wrap=True)
    for fault in damaged_cards():
        OUT.print(f"damaged: {fault}", soft_wrap=True)


def _table_of_versions(versions: Sequence[AlbumVersion], here: Mapping[int, KeptSet]) -> Table:
    """One row each; what is kept only where something is, and domains where there is room for them."""
    with_domain = OUT.width >= _ROOM_FOR_DOMAINS
    with_kept = any(version.openml_id in here for version in versions)
    domain, size = ["domain"] * with_domain, ["kept"] * with_kept
    table = table_of("set", "id", "name", *domain, "classes", "images", "licence", *size)
    for version in versions:
        album_set, found = version.album_set, here.get(version.openml_id)
        table.add_row(
            version.name,
            str(version.openml_id),
            album_set.name,
            *[album_set.domain] * with_domain,
            _count(version.num_classes),
            _count(version.num_images),
            album_set.licence,
            *["" if found is None else size_in_words(found.card.num_bytes)] * with_kept,
        )
    return table


def _get(options: Namespace) -> None:
    quiet, had = bool(options.quiet), {found.card.openml_id: found.card.downloaded for found in kept()}
    fetched: list[KeptSet] = []
    for wanted in _wanted(options.sets):
        if number_of(wanted) not in had and not is_offline():
            say(f"asking OpenML for {name_of(wanted)}", quiet=quiet)
        with (
            counted(f"downloading {name_of(wanted)}", quiet=quiet, in_bytes=True) as progress,
            counted(f"checking {name_of(wanted)}", quiet=quiet) as checked,
        ):
            fetching = Fetching(notify=lambda text: say(text, quiet=quiet), progress=progress, checked=checked)
            fetched.append(get(wanted, fetching, thorough=True))
    if options.json:
        print_json([_kept_dict(found) for found in fetched])
        return
    for found in fetched:
        card = found.card
        how = "was here" if had.get(card.openml_id) == card.downloaded else "downloaded"
        size = f"{card.num_rows:,} images, {card.num_classes:,} classes, {size_in_words(card.num_bytes)}"
        OUT.print(f"{_kept_name(found)}: {size}, {how}\n  {found.path}", soft_wrap=True)
    OUT.print(f"to use it, for example: --target openml:{_kept_name(fetched[0])}", soft_wrap=True)


def _verify(options: Namespace) -> None:
    wanted = _wanted(options.sets) if options.sets else [found.version or found.card.openml_id for found in kept()]
    unreadable = [] if options.sets else list(damaged_cards())
    problems = {"cards": unreadable} if unreadable else {}
    for one in wanted:
        with counted(f"verifying {name_of(one)}", quiet=bool(options.quiet)) as progress:
            found = verify(one, progress)
        if found:
            problems[name_of(one)] = found
    if options.json:
        print_json({"verified": [name_of(one) for one in wanted], "problems": problems})
    elif not wanted and not problems:
        OUT.print("no set is kept here; `supernet-tl data get` downloads them")
    else:
        for name, found in problems.items():
            for problem in found:
                OUT.print(f"{name}: {problem}", soft_wrap=True)
        OUT.print(f"{_sets(len(wanted))} examined, {len(problems)} with problems")
    if problems:
        raise ProblemsFoundError(
            f"{_sets(len(problems))} kept here with problems; `supernet-tl data get` downloads what is damaged again, "
            "`supernet-tl data rm` deletes it."
        )


def _sets(number: int) -> str:
    return f"{number} set{'' if number == 1 else 's'}"


def _rm(options: Namespace) -> None:
    here = {found.card.openml_id for found in kept()}
    removed: dict[str, tuple[Path, int]] = {}
    for name in options.sets:
        wanted = _wanted([name])
        if len(wanted) > 1:  # of a group, what is kept
            wanted = [one for one in wanted if number_of(one) in here]
        removed |= {name_of(one): remove(one) for one in wanted}
    if options.json:
        print_json({name: {"folder": str(folder), "num_bytes": size} for name, (folder, size) in removed.items()})
        return
    for name, (_, num_bytes) in removed.items():
        OUT.print(f"deleted {name} ({size_in_words(num_bytes)})")
    if not removed:
        OUT.print("none of these sets is kept here; nothing was deleted")


def _gc(options: Namespace) -> None:
    if not options.older_than >= 0:
        raise SelectionError(f"--older-than is {options.older_than:g}; expected a number of days of at least 0.")
    from supernet_tl.data import clear_pixels

    cleared = clear_pixels(timedelta(days=options.older_than) if options.older_than else None)
    if options.json:
        print_json({"num_bytes": cleared})
    else:
        OUT.print(f"decoded images deleted: {size_in_words(cleared)}")


def _health(options: Namespace) -> None:
    from supernet_tl.control import Control
    from supernet_tl.data.health import examine
    from supernet_tl.data.health.copies import MAX_EXAMPLES
    from supernet_tl.prepared_data import split
    from supernet_tl.recipe import Recipe
    from supernet_tl.terminal.health_tables import health_tables

    control = Control(quiet=bool(options.quiet), skip_corrupt=True, drop_small_classes=True)  # to tell of all at once
    images = control.open(options.source)
    with counted(f"examining {images.name}", quiet=control.quiet) as progress:
        splits = split(images, Recipe(seed=options.seed))
        health = examine(images, splits, progress, max_examples=_MOST_EXAMPLES if options.json else MAX_EXAMPLES)
    if options.json:
        print_json(health.to_dict())
        return
    for table in health_tables(health):
        OUT.print(table)


def _wanted(names: Sequence[str]) -> list[AlbumVersion | int]:
    """What the names and groups stand for, each once, in the order given."""
    found: dict[AlbumVersion | int, None] = {}
    for name in names:
        text = name.removeprefix("openml:")
        one = named(text) if text.strip().isdecimal() else None
        found |= dict.fromkeys(select(text) if one is None else (one,))
    return list(found)


def _listed(names: Sequence[str]) -> list[AlbumVersion | int]:
    """As :func:`_wanted`, all sets when none is named; a tag or a group alone stands for all its versions."""
    found: dict[AlbumVersion | int, None] = {} if names else dict.fromkeys(album_versions())
    for name in names:
        found |= dict.fromkeys(of_tag_or_group(name) or _wanted([name]))
    return list(found)


def _is_of_domain(version: AlbumVersion, text: str) -> bool:
    album_set = version.album_set
    return text.lower() in (album_set.domain_code.lower(), *album_set.domain.lower().split()) or (
        text.lower() in album_set.domain.lower()
    )


def _kept_name(found: KeptSet) -> str:
    return name_of(found.version or found.card.openml_id)


def _count(number: int | None) -> str:
    return "—" if number is None else f"{number:,}"


def _version_dict(version: AlbumVersion, found: KeptSet | None) -> dict[str, Any]:
    album_set = version.album_set
    return {
        "set": version.name,
        "openml_id": version.openml_id,
        "name": album_set.name,
        "domain": album_set.domain,
        "num_classes": version.num_classes,
        "num_images": version.num_images,
        "licence": album_set.licence,
        "in_paper27": album_set.in_paper27,
        "mirror_safe": album_set.mirror_safe,
        "kept": None if found is None else _kept_dict(found),
    }


def _kept_dict(found: KeptSet) -> dict[str, Any]:
    card = found.card
    return {
        "set": _kept_name(found),
        "openml_id": card.openml_id,
        "folder": str(found.path),
        "num_classes": card.num_classes,
        "num_images": card.num_rows,
        "num_bytes": card.num_bytes,
        "licence": card.licence,
        "downloaded": card.downloaded,
    }


_ACTIONS: dict[str, Callable[[Namespace], None]] = {
    "list": _list,
    "get": _get,
    "verify": _verify,
    "health": _health,
    "rm": _rm,
    "gc": _gc,
}
