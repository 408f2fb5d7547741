"""What the pages need beside Markdown: the README as home, and files of the repository that pages link to."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\(((?:\.\./)*[\w./-]+?)(#[\w-]+)?\)")


def on_files(files: Any, *, config: Any) -> Any:
    """Add the README as the first page, the tutorials as one, and every file outside of docs/ that is linked to."""
    files.append(File.generated(config, "index.md", content=_home()))
    files.append(File.generated(config, "tutorials.md", content=_tutorials()))
    linked = {target for file in list(files) if file.src_uri.endswith(".md") for target in _outside(file)}
    for target in sorted(linked):
        path = ROOT / target
        if path.is_file():
            files.append(File.generated(config, f"repository/{target}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Let links that lead out of docs/ lead to the copies."""
    folder = posixpath.dirname(page.file.src_uri)

    def moved(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", folder, match[1]))
        if target.startswith("docs/") or not (ROOT / target).exists():
            return match[0]
        place = f"repository/{target}" if (ROOT / target).is_file() else "index.md"
        return f"]({posixpath.relpath(place, folder or '.')}{match[2] or ''})"

    return _LINK.sub(moved, markdown)


def _outside(file: Any) -> set[str]:
    """Files of the repository that a page links to and that are not in docs/."""
    folder = posixpath.dirname(file.src_uri)
    targets = {
        posixpath.normpath(posixpath.join("docs", folder, link[0])) for link in _LINK.findall(file.content_string)
    }
    return {target for target in targets if not target.startswith(("docs/", ".."))}


def _home() -> str:
    """The README, whose links are from the root of the repository."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")

    def moved(match: re.Match[str]) -> str:
        target = match[1]
        inside = target.removeprefix("docs/")
        if target.startswith("docs/"):
            return f"]({'methods/README.md' if inside == 'methods/' else inside}{match[2] or ''})"
        return f"](../{target}{match[2] or ''})"

    return _LINK.sub(moved, text)


def _tutorials() -> str:
    """Every tutorial with its text."""
    parts = ["# Tutorials", "Scripts that run as they are; the tests run them too."]
    for path in sorted((ROOT / "docs/tutorials").glob("*.py")):
        code = path.read_text(encoding="utf-8")
        title = code.partition('"""')[2].partition(":")[0].strip()
        parts += [f"## {title}", f"`docs/tutorials/{path.name}`", f"```python\n{code.rstrip()}\n```"]
    for path in sorted((ROOT / "docs/tutorials").glob("*.slurm")):
        code = path.read_text(encoding="utf-8")
        title = code.splitlines()[1].removeprefix("# ").partition(":")[0]
        parts += [f"## {title}", f"`docs/tutorials/{path.name}`", f"```bash\n{code.rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"
