"""Templates to pages."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from supernet_tl.files import write_whole
from supernet_tl.report import wording
from supernet_tl.report.palette import primitive_stroke


def write_page(path: Path, template: str, **values: Any) -> Path:
    """Render a template and write the page, whole or not at all."""
    page = _environment().get_template(template).render(**values)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page.encode())
    return path


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("supernet_tl.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        wording.percent,
        wording.signed_percent,
        wording.threshold,
        wording.whole,
        wording.operations,
        wording.duration,
        wording.fixed,
        wording.significant,
        wording.weight,
        primitive_stroke,
    ):
        environment.filters[function.__name__] = function
    return environment
