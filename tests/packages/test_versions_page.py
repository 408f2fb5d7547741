from __future__ import annotations

import json

from packaging.version import Version

from tests.packages.page import KEPT, PAGE, versions_page
from tests.packages.required import requirements


def test_the_page_of_versions_is_what_the_last_run_found() -> None:
    # Oracle: the page in the repository; so no number in it is typed by hand.
    assert versions_page(json.loads(KEPT.read_text(encoding="utf-8"))) == PAGE.read_text(encoding="utf-8")


def test_the_lowest_versions_allowed_are_those_that_were_used() -> None:
    used = json.loads(KEPT.read_text(encoding="utf-8"))["environments"]["lowest"]["versions"]
    required = requirements()
    assert {one.name for one in required} == set(used)
    for one in required:
        lowest = [Version(part.version) for part in one.specifier if part.operator in (">=", "==")]
        if lowest:  # certifi may be any
            assert Version(used[one.name]).release[:2] == (*lowest[0].release, 0, 0)[:2], f"{one}: make test-packages"
            assert Version(used[one.name]) >= lowest[0]
