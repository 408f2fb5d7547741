"""What `docs/deploy.md` shows."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from supernet_tl.exporting.export import export
from supernet_tl.network_file import Classifier
from supernet_tl.prediction import predict

ROOT = Path(__file__).parents[3]
Saved = Callable[..., tuple[Path, Classifier]]


def test_the_example_in_python_runs(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(
        r"test_deploying.py -->\n```\n(.*?)```", (ROOT / "docs/deploy.md").read_text(), flags=re.DOTALL
    )
    run, _ = saved()
    monkeypatch.chdir(run.parent)
    exec(compile(code, "deploy.md", "exec"), {})
    assert (run / "export/onnx/network.onnx").is_file()


@pytest.fixture
def served(saved: Saved) -> Iterator[tuple[str, Path]]:
    """The address of a server of an export, and the run it is of."""
    run, _ = saved()
    folder = export(run, format="state_dict").folder
    command = [sys.executable, "-u", str(ROOT / "docs/examples/serve.py"), str(folder), "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1], run
        finally:
            server.terminate()


def test_an_export_can_be_served_over_http(served: tuple[str, Path], tmp_path: Path) -> None:
    address, run = served
    image = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)).save(image)
    with urllib.request.urlopen(urllib.request.Request(address, data=image.read_bytes())) as answer:
        classes = json.load(answer)["classes"]
    (expected,) = predict(run / "network", image).rows
    assert classes[0]["name"] == expected.predicted
    assert classes[0]["probability"] == pytest.approx(expected.probability, abs=1e-4)
    assert sum(found["probability"] for found in classes) == pytest.approx(1)
    for data, status in ((b"no image", 400), (b"", 413)):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(address, data=data, method="POST"))
        assert refused.value.code == status
        assert "error" in json.load(refused.value)
        refused.value.close()
