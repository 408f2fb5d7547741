"""Pretrain the starter zoo (``make starter``). Finished parts are kept: repeat the command to go on."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import zoo_store
from supernet_tl.control import Control
from supernet_tl.files import write_whole
from supernet_tl.pretraining import pretrain
from supernet_tl.starter.page import page
from supernet_tl.starter.plan import PLAN, SHARED, PlannedEntry


def build(
    output: Path,
    plan: Sequence[PlannedEntry] = PLAN,
    shared: Mapping[str, Any] = SHARED,
    control: Control | None = None,
) -> zoo_store.Zoo:
    """Pretrain the entries of a plan, name them, and describe them on a page.

    Args:
        output: gets the zoo in ``zoo``, the page as ``README.md``, and the runs in ``runs``.
        plan: the entries.
        shared: settings of all of them.
        control: device and terminal.
    """
    zoo = zoo_store.Zoo(output / "zoo")
    for planned in plan:
        entry = pretrain(
            planned.sources,
            zoo,
            mixture=len(planned.sources) > 1,
            output=output / "runs",
            control=control,
            **{**shared, **planned.settings},
        )
        assert isinstance(entry, zoo_store.ZooEntry)  # a list is made of several sources that are not mixed
        zoo.set_alias(planned.alias, zoo_store.content_id(entry))
    write_whole(output / "README.md", page(zoo).encode())
    return zoo


def main() -> int:
    """Build the starter zoo from the command line."""
    parser = argparse.ArgumentParser(description="Pretrain the starter zoo on the pocket album: about half an hour.")
    parser.add_argument("--output", type=Path, default=Path("build/starter"), help="folder (default: build/starter)")
    parser.add_argument("--device", default="cpu", help="auto, cpu, cuda, … (default: cpu)")
    options = parser.parse_args()
    try:
        zoo = build(options.output, control=Control(device=options.device))
    except KeyboardInterrupt:
        print("interrupted; what is finished is kept. Repeat the command to continue.", file=sys.stderr)
        return 130
    print(f"{len(zoo)} entries in {zoo.address}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
