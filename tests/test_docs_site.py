"""The documentation is built as pages without a warning, and every public name is in the reference."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True)
    return folder


@pytest.mark.parametrize("package", ["supernet_tl", "darts", "ot_select", "zoo_store"])
def test_every_public_name_is_in_the_reference(package: str, site: Path) -> None:
    page = (site / f"api/{package}.html").read_text(encoding="utf-8")
    headed = set(re.findall(rf'<h\d id="{package}\.([^"]+)"', page))
    names = set(importlib.import_module(package).__all__)
    modules = {name for name in names if f"{name}.{name}" in headed}  # functions that are called like their module
    assert names - modules <= headed
    assert "__all__" not in headed


def test_pages_ask_nothing_of_other_machines(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        found = re.findall(
            r'<(?:script|img|iframe)[^>]*src="(https?://[^"]+)|<link[^>]*stylesheet[^>]*"(https?://[^"]+)', text
        )
        assert not found, f"{page.name} loads {found}"


def test_files_of_the_repository_that_are_linked_to_lie_beside_the_pages(site: Path) -> None:
    assert (site / "repository/recipes/finetune/best.yaml").is_file()
    assert 'href="repository/recipes/finetune/best.yaml"' in (site / "fine-tuning.html").read_text(encoding="utf-8")
    assert "own_images.py" in (site / "tutorials.html").read_text(encoding="utf-8")
