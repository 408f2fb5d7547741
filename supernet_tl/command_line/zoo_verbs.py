"""What each action of ``supernet-tl zoo`` does, and how it shows the outcome."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from jsonargparse import Namespace

import zoo_store
from supernet_tl.cards import data_of
from supernet_tl.errors import ProblemsFoundError, SelectionError
from supernet_tl.terminal.console import counted
from supernet_tl.terminal.output import OUT, harmless, print_json, size_in_words, table_of
from supernet_tl.zoos import find_entry, open_zoo, readable_cards

_NET = "net: space, channels x cells"
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def run(config: Namespace) -> None:
    """Run the action that was parsed."""
    options = config[config.action]
    _ACTIONS[config.action](options)


def _list(options: Namespace) -> None:
    zoo = open_zoo(options.zoo)
    wanted = zoo_store.EntryFilter(
        **{name: options[name] for name in ("space", "kind", "name", "channels", "num_cells", "image_size")},
        licences=tuple(options.licence or ()),
        tags=tuple(options.tag or ()),
        max_bytes=None if options.max_size is None else _num_bytes(options.max_size),
    )
    entries = zoo.find(wanted)
    aliases = _aliases_by_entry(zoo)
    if options.json:
        print_json(
            {entry_id: {**asdict(entry), "aliases": aliases.get(entry_id, [])} for entry_id, entry in entries.items()}
        )
        return
    table = table_of("entry", "name", "alias", "net", "classes", "size", "test")
    for entry_id, entry in entries.items():
        if entry.card is not None:
            name, net, classes, test = _columns(entry.card)
            alias = _few(aliases.get(entry_id, [])) or "—"
            table.add_row(entry_id[:12], name, alias, net, classes, size_in_words(entry.num_bytes), test)
    if table.row_count:
        OUT.print(table)
        OUT.print(_NET)
    elif not entries and not wanted.given:
        OUT.print(f"zoo {zoo.address!r} has no entries; `supernet-tl pretrain --zoo` adds them", soft_wrap=True)
    else:
        OUT.print(harmless(wanted.why_nothing_fits(zoo.find())), soft_wrap=True)
    for entry in entries.values():
        if entry.problem is not None:
            OUT.print(f"damaged: {entry.problem}", soft_wrap=True)


def _show(options: Namespace) -> None:
    zoo = open_zoo(options.zoo)
    if options.entry is None:
        cards, damaged = readable_cards(zoo)
        for reason in damaged.values():
            OUT.print(f"damaged: {reason}", soft_wrap=True)
    else:
        entry_id = find_entry(zoo, options.entry)
        cards = {entry_id: zoo.card(entry_id)}
    if options.json:
        print_json({entry_id: dict(card) for entry_id, card in cards.items()})
        return
    aliases = _aliases_by_entry(zoo)
    for entry_id, card in cards.items():
        _show_entry(entry_id, card, aliases.get(entry_id, []))


def _show_entry(entry_id: str, card: Mapping[str, Any], aliases: Sequence[str]) -> None:
    facts: list[tuple[str, Any]] = [
        ("name", card.get("name")),
        ("entry", entry_id),
        ("aliases", ", ".join(aliases) or None),
        ("kind", card.get("kind")),
        ("space", _space(card)),
        ("channels", card.get("channels")),
        ("cells", card.get("num_cells")),
        ("image size", card.get("image_size")),
        ("classes", card.get("num_classes")),
        ("embedder", _named(card.get("embedder"))),
        ("seed", card.get("seed")),
        ("created", card.get("created")),
        ("tags", ", ".join(card.get("tags") or []) or None),
    ]
    for data in data_of(card):
        images = "" if data.get("num_images") is None else f", {data['num_images']} images"
        facts.append(("data", f"{data.get('name')}{images}, licence {data.get('licence') or 'not recorded'}"))
    for name, value in (card.get("metrics") or {}).items():
        facts.append((name.replace("_", " "), f"{value:.4f}" if isinstance(value, float) else value))
    width = max(len(label) for label, _ in facts)
    for label, value in facts:
        OUT.print(harmless(f"{label:<{width}}  {'—' if value is None else value}"), soft_wrap=True)
    OUT.print()


def _verify(options: Namespace) -> None:
    zoo = open_zoo(options.zoo, to_write=bool(options.fix))
    wanted = [find_entry(zoo, text) for text in options.entries] or None
    if wanted is None and not zoo.is_local:
        _refuse_empty(zoo)
    with counted("verifying", quiet=bool(options.quiet)) as progress:
        problems = zoo.verify(wanted, progress=progress)
    moved = zoo.fix(problems) if options.fix else {}
    left = [problem for problem in problems if (problem.entry_id or problem.file) not in moved]
    if options.fix and any(problem.damaged for problem in left):  # or is it good by now, or gone?
        left = zoo.verify(None if wanted is None else [entry_id for entry_id in wanted if entry_id in zoo])
    if options.json:
        print_json({"problems": [asdict(problem) for problem in problems], "moved": moved})
    else:
        for problem in problems:
            OUT.print(str(problem), soft_wrap=True)
        for what, where in moved.items():
            OUT.print(f"set aside: {what} is now {where}", soft_wrap=True)
        if moved:
            OUT.print(f"to have entries back: supernet-tl zoo copy GOOD_ZOO {shlex.quote(zoo.address)} ENTRY …")
        if not problems:
            num = len(zoo) if wanted is None else len(wanted)
            OUT.print(f"{_counted(num, 'entry')}, all whole")
    if left:
        raise ProblemsFoundError(_advice(zoo, left))


def _refuse_empty(zoo: zoo_store.Zoo) -> None:
    """Where folders are only parts of names, a misspelt address looks like a zoo without entries."""
    if not len(zoo):
        raise SelectionError(f"nothing lies at {zoo.address!r}, or no entry does; check the address.")


def _advice(zoo: zoo_store.Zoo, left: Sequence[zoo_store.Problem]) -> str:
    found = f"{len(left)} problem{'' if len(left) == 1 else 's'} in zoo {zoo.address!r}"
    if not any(problem.damaged for problem in left):
        return f"{found}, none of which is damage: allow reading, go online, or upgrade supernet-tl, as is told above."
    mend = f"`supernet-tl zoo verify {shlex.quote(zoo.address)} --fix`"
    return f"{found}; {mend} moves what is damaged to quarantine and deletes nothing."


def _add(options: Namespace) -> None:
    if options.alias is not None and len(options.folders) > 1:
        raise SelectionError(
            f"--alias names one entry, but {len(options.folders)} folders were given; add them singly."
        )
    zoo = open_zoo(options.zoo, to_write=True)
    found = {folder: zoo.add_folder(folder) for folder in options.folders}
    if options.alias is not None:
        zoo.set_alias(options.alias, next(iter(found.values())))
    if options.json:
        print_json(found)
        return
    for folder, entry_id in found.items():
        OUT.print(f"{folder}: {entry_id}", soft_wrap=True)


def _get(options: Namespace) -> None:
    zoo = open_zoo(options.zoo)
    entry_id = find_entry(zoo, options.entry)
    path = zoo.export(entry_id, options.output)
    if options.json:
        print_json({"entry": entry_id, "output": str(path)})
    else:
        OUT.print(f"{entry_id}: {path}", soft_wrap=True)


def _alias(options: Namespace) -> None:
    zoo = open_zoo(options.zoo, to_write=options.entry is not None or bool(options.delete))
    if options.delete and (options.alias is None or options.entry is not None):
        raise SelectionError("expected ALIAS --delete to forget an alias, and no ENTRY.")
    aliases = zoo.aliases()
    if options.delete:
        zoo.delete_alias(options.alias)
        told = f"{options.alias} is forgotten"
    elif options.entry is not None:
        entry_id = find_entry(zoo, options.entry)
        _refuse_taken_name(zoo, options.alias, entry_id)
        zoo.set_alias(options.alias, entry_id)
        before = aliases.get(options.alias)
        told = f"{options.alias} points at {entry_id}" + (
            "" if before in (None, entry_id) else f", no longer at {before}"
        )
    else:
        _show_aliases(zoo, aliases, options.alias, as_json=bool(options.json))
        return
    if options.json:
        print_json(zoo.aliases())
    else:
        OUT.print(told, soft_wrap=True)


def _show_aliases(zoo: zoo_store.Zoo, aliases: Mapping[str, str], wanted: str | None, *, as_json: bool) -> None:
    if wanted is not None:
        aliases = {wanted: zoo.resolve(wanted)}
    if as_json:
        print_json(dict(aliases))
        return
    cards, _ = readable_cards(zoo)
    table = table_of("alias", "entry", "name")
    for alias, entry_id in aliases.items():
        name = str(cards[entry_id].get("name")) if entry_id in cards else "not in the zoo, or damaged"
        table.add_row(alias, entry_id[:12], name)
    if aliases:
        OUT.print(table)
    else:
        OUT.print(f"zoo {zoo.address!r} has no aliases", soft_wrap=True)


def _refuse_taken_name(zoo: zoo_store.Zoo, alias: str, entry_id: str) -> None:
    """An alias that is the name of other entries would stand for this one wherever that name is given."""
    cards, _ = readable_cards(zoo)
    others = [other for other, card in cards.items() if card.get("name") == alias and other != entry_id]
    if others:
        raise SelectionError(
            f"{alias!r} is the name of another entry, {others[0][:12]}, which it would hide; choose another alias, "
            f"such as {alias}-2."
        )


def _rm(options: Namespace) -> None:
    zoo = open_zoo(options.zoo, to_write=True)
    wanted = list(dict.fromkeys(find_entry(zoo, text) for text in options.entries))
    for entry_id in wanted:
        zoo.remove(entry_id, with_aliases=bool(options.aliases))
        if not options.json:
            OUT.print(f"removed: {entry_id}")
    if options.json:
        print_json({"removed": wanted})


def _gc(options: Namespace) -> None:
    if not options.older_than >= 0:
        raise SelectionError(f"--older-than is {options.older_than:g}; expected a number of days of at least 0.")
    if options.zoo is None and not options.cache:
        raise SelectionError("nothing to clear was named; give a ZOO, --cache, or both.")
    cleared = [] if options.zoo is None else open_zoo(options.zoo, to_write=True).clear_leftovers()
    kept = zoo_store.clear_cache(unused_days=options.older_than) if options.cache else []
    num_bytes = sum(file.num_bytes for file in kept)
    if options.json:
        print_json({"leftovers": cleared, "num_files": len(kept), "num_bytes": num_bytes})
        return
    if options.zoo is not None:
        OUT.print(f"{len(cleared)} leftovers of interrupted writers deleted")
    if options.cache:
        OUT.print(f"{len(kept)} files that this machine kept of zoos deleted ({size_in_words(num_bytes)})")


def _copy(options: Namespace) -> None:
    public = bool(options.get("public"))
    if public and not options.target.startswith("hf://"):
        raise SelectionError(f"--public is for the Hugging Face Hub, hf://OWNER/NAME; found {options.target!r}.")
    source = open_zoo(options.zoo)
    target = open_zoo(options.target, to_write=True, storage_options={"private": False} if public else None)
    wanted = [find_entry(source, text) for text in options.entries] or None
    if wanted is None:
        _refuse_empty(source)
    with counted("copying", quiet=bool(options.quiet)) as progress:
        copies = source.copy_to(target, wanted, with_aliases=not options.no_aliases, progress=progress)
    if options.json:
        print_json(
            {
                "added": copies.added,
                "present": copies.present,
                "damaged": copies.damaged,
                "left_behind": dict(copies.left_behind),
                "num_bytes": copies.num_bytes,
                "aliases": copies.aliases,
                "kept_aliases": copies.kept_aliases,
            }
        )
        _refuse_damaged(target, copies)
        return
    there = f"; there already: {len(copies.present)}" if copies.present else ""
    size = f" ({size_in_words(copies.num_bytes)})" if copies.added else ""
    OUT.print(f"{_counted(len(copies.added), 'entry')} copied to {target.address}{size}{there}", soft_wrap=True)
    for alias, entry_id in copies.kept_aliases.items():
        OUT.print(
            f"the alias {alias} points at {entry_id[:12]} there and stays so; to move it: "
            f"supernet-tl zoo alias {shlex.quote(target.address)} {alias} ENTRY",
            soft_wrap=True,
        )
    _refuse_damaged(target, copies)


def _refuse_damaged(target: zoo_store.Zoo, copies: zoo_store.Copies) -> None:
    told = [f"left behind: {reason}" for reason in copies.left_behind.values()]
    if copies.damaged:
        told.append(
            f"{target.address!r} held {', '.join(copies.damaged)} already, damaged, which stays as it is: move it away "
            f"with `supernet-tl zoo verify {shlex.quote(target.address)} --fix`, then copy again."
        )
    if told:
        raise ProblemsFoundError("\n".join(told))


def show_cards(cards: Mapping[str, Mapping[str, Any]], *, as_json: bool) -> None:
    """Cards by id, a line each."""
    if as_json:
        print_json({entry_id: dict(card) for entry_id, card in cards.items()})
        return
    table = table_of("entry", "name", "net", "classes", "test")
    for entry_id, card in cards.items():
        table.add_row(entry_id[:12], *_columns(card))
    OUT.print(table)
    OUT.print(_NET)


def _columns(card: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Name, size of the supernet, classes and test accuracy."""
    accuracy = (card.get("metrics") or {}).get("test_accuracy")
    space, channels, cells = (
        "—" if fact is None else str(fact) for fact in (_space(card), card.get("channels"), card.get("num_cells"))
    )
    return (
        str(card.get("name") or "—"),
        f"{space} {channels}x{cells}",
        str(card.get("num_classes") or "—"),
        f"{accuracy:.4f}" if isinstance(accuracy, float) else "—",
    )


def _space(card: Mapping[str, Any]) -> str | None:
    return _named(card.get("space"))


def _named(value: Any) -> str | None:
    found = value.get("name") if isinstance(value, Mapping) else value
    return None if found is None else str(found)


def _aliases_by_entry(zoo: zoo_store.Zoo) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for alias, entry_id in zoo.aliases().items():
        found.setdefault(entry_id, []).append(alias)
    return found


def _num_bytes(text: str) -> int:
    """A size as people write it."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    if match is None or match[2].upper() not in _UNITS:
        raise SelectionError(
            f"--max-size is {text!r}; expected a number of bytes, or one with a unit such as 5MB or 2GiB."
        )
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _counted(num: int, what: str) -> str:
    return f"{num} {what if num == 1 else what.removesuffix('y') + 'ies'}"


def _few(names: Sequence[str]) -> str:
    """Names in a cell: of many, the first two."""
    return ", ".join(names[:2]) + (f", +{len(names) - 2} more" if len(names) > 2 else "")


_ACTIONS: dict[str, Callable[[Namespace], None]] = {
    "list": _list,
    "show": _show,
    "verify": _verify,
    "add": _add,
    "get": _get,
    "alias": _alias,
    "rm": _rm,
    "gc": _gc,
    "copy": _copy,
    "push": _copy,
    "pull": _copy,
}
