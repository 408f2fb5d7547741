"""What a reader can do with the page, in a real browser where there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_BROWSER = next((path for name in _NAMES if (path := shutil.which(name))), None)
pytestmark = pytest.mark.skipif(_BROWSER is None, reason="no chromium on this machine")

_ACTIONS = """<script>
const found = {};
const table = document.querySelector('table[data-name="improvement-network"]');
const number = cell => parseFloat(cell.textContent.replace("\\u2212", "-"));
const numbers = () => Array.from(table.tBodies[0].rows, row => number(row.cells[1]));
const head = table.tHead.rows[0].cells[1];
head.querySelector("button").click();
found.descending = [head.getAttribute("aria-sort"), numbers()];
head.querySelector("button").click();
found.ascending = [head.getAttribute("aria-sort"), numbers()];
const runs = document.querySelector('table[data-name="runs"]');
const input = runs.closest(".tabled").querySelector("input");
const shown = () => Array.from(runs.tBodies[0].rows).filter(row => !row.hidden).map(row => row.cells[1].textContent);
input.value = "FACES mixture";
input.dispatchEvent(new Event("input"));
found.filtered = shown();
found.count = runs.closest(".tabled").querySelector("[aria-live]").textContent;
table.querySelector("td[data-jobs] button").click();
const trace = document.getElementById("trace");
found.traced = Array.from(trace.querySelectorAll("a"), link => link.textContent);
trace.querySelector("a").click();
found.reached = document.querySelector("tr.reached").id;
found.unfiltered = shown().length;
document.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape"}));
found.closed = trace.hidden;
document.querySelector(".chart [data-jobs]").dispatchEvent(new MouseEvent("click", {bubbles: true}));
found.traced_from_figure = trace.querySelectorAll("a").length;
const visible = part => table.ownerDocument.querySelector(`[data-of="${part}"]`).offsetParent !== null;
found.before = [visible("network"), visible("supernet")];
document.querySelector('.switch input[value="supernet"]').click();
found.after = [visible("network"), visible("supernet")];
document.body.replaceChildren(Object.assign(document.createElement("pre"), {textContent: JSON.stringify(found)}));
</script></body>"""


@pytest.fixture(scope="module")
def found(page_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a script in the page saw when it clicked and typed."""
    folder = tmp_path_factory.mktemp("browser")
    page = folder / "page.html"
    page.write_text(page_file.read_text(encoding="utf-8").replace("</body>", _ACTIONS), encoding="utf-8")
    command = [str(_BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--no-first-run", f"--user-data-dir={folder / 'profile'}", "--dump-dom", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    reader = _Text()
    reader.feed(done.stdout)
    values: dict[str, Any] = json.loads(reader.text)
    return values


class _Text(HTMLParser):
    """The text of the page's one ``pre``."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "pre"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self._inside = False


def test_a_table_is_sorted_by_number_both_ways_and_says_so(found: dict[str, Any]) -> None:
    order, numbers = found["descending"]
    assert (order, numbers) == ("descending", sorted(numbers, reverse=True))
    assert found["ascending"] == ["ascending", sorted(numbers)]


def test_a_filter_leaves_the_rows_that_have_all_its_words(found: dict[str, Any]) -> None:
    assert found["filtered"] == ["faces"] * 3  # a mixture with each seed
    assert found["count"].startswith("3 of ")


def test_a_number_leads_to_the_rows_of_its_jobs(found: dict[str, Any]) -> None:
    assert len(found["traced"]) == 9  # scratch, the source's run and the selection with each of three seeds
    assert found["reached"] == f"job-{found['traced'][0]}"
    assert found["unfiltered"] > 3  # a row that was filtered away is shown again
    assert found["closed"]
    assert found["traced_from_figure"] >= 1


def test_the_switch_shows_one_part_of_a_run_at_a_time(found: dict[str, Any]) -> None:
    assert (found["before"], found["after"]) == ([True, False], [False, True])
