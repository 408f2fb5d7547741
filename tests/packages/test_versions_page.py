from __future__ import annotations

import json
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tests.packages.page import KEPT, PAGE, versions_page

PYPROJECT = Path(__file__).parent.parent.parent / "pyproject.toml"


def test_the_page_of_versions_is_what_the_last_run_found() -> None:
    # Oracle: the page in the repository; so no number in it is typed by hand.
    assert versions_page(json.loads(KEPT.read_text(encoding="utf-8"))) == PAGE.read_text(encoding="utf-8")


def test_the_lowest_versions_allowed_are_those_that_were_used() -> None:
    used = json.loads(KEPT.read_text(encoding="utf-8"))["environments"]["lowest"]["versions"]
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    required = {one.name: one for one in map(Requirement, project["dependencies"])}
    for package, version in used.items():
        (lowest,) = [one.version for one in required[package].specifier if one.operator == ">="]
        assert version.startswith(lowest), f"{package} {lowest} is allowed; {version} was used: make test-packages"
