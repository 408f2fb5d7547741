from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from PIL import Image

import darts
from supernet_tl.errors import ExportError, NetworkFileError
from supernet_tl.exporting import export as export_module
from supernet_tl.exporting.export import Format, export
from supernet_tl.network_file import Classifier
from supernet_tl.prediction import predict

FORMATS = get_args(Format)
Saved = Callable[..., tuple[Path, Classifier]]
ALONE = """
import runpy, sys
for name in {absent}:
    sys.modules[name] = None  # importing it is an error, as where it is not installed
sys.argv = ["predict.py", *sys.argv[2:]]
sys.path.insert(0, {folder!r})
runpy.run_path({folder!r} + "/predict.py", run_name="__main__")
"""
OURS = ("supernet_tl", "darts", "ot_select", "zoo_store", "lightning", "timm", "torchvision")


def _predictions_elsewhere(folder: Path, images: Path, format: Format) -> dict[str, tuple[str, float]]:
    """What ``predict.py`` prints in a Python that lacks this project, and PyTorch where the export needs none."""
    absent = (*OURS, "torch") if format == "onnx" else OURS
    code = ALONE.format(absent=absent, folder=str(folder))
    command = [sys.executable, "-I", "-c", code, "predict.py", str(images)]
    found = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder.parent)
    rows = (line.split("\t") for line in found.stdout.splitlines())
    return {Path(path).name: (name, float(probability)) for path, name, probability in rows}


def _make_images(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    folder.mkdir()
    for index, (height, width) in enumerate(((16, 16), (40, 23), (9, 30))):
        pixels = generator.integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_predicts_the_same_where_this_project_is_not_installed(
    format: Format, saved: Saved, tmp_path: Path
) -> None:
    run, _ = saved()
    images = _make_images(tmp_path / "images")
    exported = export(run, format=format)
    assert exported.folder == run / "export" / format
    # Oracle: the network itself, on the same files.
    expected = {Path(row.path).name: row for row in predict(run / "network", images).rows}
    found = _predictions_elsewhere(exported.folder, images, format)
    assert {name: row[0] for name, row in found.items()} == {name: row.predicted for name, row in expected.items()}
    for name, (_, probability) in found.items():
        assert probability == pytest.approx(expected[name].probability, abs=1e-4 + 5e-5)  # four digits are printed


@pytest.mark.parametrize(
    "sizes",
    [
        {"pool_norm": True, "num_cells": 3},
        {"stem": "imagenet"},
        {"in_channels": 1, "num_classes": 2},
        {"channels": 6, "num_cells": 8, "pool_norm": True},
    ],
    ids=["pool_norm", "imagenet_stem", "grey", "deep"],
)
def test_every_kind_of_network_is_built_again_in_plain_pytorch(sizes: dict[str, Any], saved: Saved) -> None:
    from supernet_tl.exporting.stand_alone.network import from_folder

    run, classifier = saved(**sizes)
    network = from_folder(export(run, format="state_dict").folder)
    images = torch.randint(0, 256, (7, classifier.network.in_channels, 16, 16), dtype=torch.uint8)
    torch.testing.assert_close(network(images), classifier.predict(images), rtol=0, atol=1e-6)
    assert network.class_names == list(classifier.class_names)


@pytest.mark.parametrize("format", ["torch", "onnx"])
def test_a_file_alone_tells_classes_and_size_and_takes_any_number_of_images(format: Format, saved: Saved) -> None:
    run, classifier = saved(in_channels=1, stem="imagenet")
    exported = export(run, format=format)
    (exported.folder / "export.json").unlink()  # nothing is read beside the network
    if format == "onnx":
        from supernet_tl.exporting.stand_alone import onnx_runtime as runtime
    else:
        from supernet_tl.exporting.stand_alone import torch_runtime as runtime  # type: ignore[no-redef]
    run_network, description = runtime.load(exported.folder)
    assert description["class_names"] == list(classifier.class_names)
    assert (description["image_size"], description["in_channels"]) == (16, 1)
    for num in (1, 2, 9):
        images = torch.randint(0, 256, (num, 1, 16, 16), dtype=torch.uint8)
        expected = classifier.predict(images).numpy()
        np.testing.assert_allclose(run_network(images.numpy()), expected, rtol=0, atol=1e-4)


def test_a_network_of_weights_can_be_trained_on(saved: Saved) -> None:
    from supernet_tl.exporting.stand_alone.network import from_folder

    run, _ = saved()
    network = from_folder(export(run, format="state_dict").folder).train()
    images, labels = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8), torch.arange(8) % 3
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(network.logits(images), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_the_card_tells_use_data_and_licences_where_only_the_network_is_at_hand(saved: Saved) -> None:
    run, _ = saved()
    card = (export(run / "network", run / "elsewhere", format="state_dict").folder / "README.md").read_text("utf-8")
    assert card.startswith("---\npipeline_tag: image-classification\n")
    assert "It tells 3 classes apart: ant, bee \\| wasp, çat." in card
    assert "| insects | trained on | a garden | CC0 |" in card
    assert "python predict.py IMAGE_OR_FOLDER" in card
    assert "was not at hand" in card


def test_a_network_that_draws_noise_is_refused(saved: Saved) -> None:
    edges = (("noise", 0), ("sep_conv_3x3", 1)) + (("sep_conv_3x3", 0), ("sep_conv_3x3", 1)) * 3
    run, _ = saved(genotype=darts.Genotype(normal=edges, reduction=edges))
    with pytest.raises(ExportError, match="ops that draw noise"):
        export(run)
    assert not (run / "export").exists()


def test_an_unreadable_image_is_told_and_the_others_are_classified(saved: Saved, tmp_path: Path) -> None:
    run, _ = saved()
    images = _make_images(tmp_path / "images")
    (images / "broken.png").write_bytes((images / "0.png").read_bytes()[:60])
    folder = export(run, format="state_dict").folder
    found = subprocess.run([sys.executable, folder / "predict.py", images], capture_output=True, text=True)
    assert found.returncode == 1
    assert len(found.stdout.splitlines()) == 3
    assert "broken.png cannot be read: " in found.stderr
    assert "Traceback" not in found.stderr


def test_what_an_exporter_raises_becomes_a_sentence(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise NotImplementedError("no such op\nand more")

    run, _ = saved()
    monkeypatch.setattr(export_module, "_WRITERS", {"torch": fail})
    with pytest.raises(ExportError, match=r"cannot write this network in the format torch \(NotImpl.*: no such op\)"):
        export(run)


def test_an_unknown_format_is_refused(saved: Saved) -> None:
    run, _ = saved()
    with pytest.raises(ExportError, match="expected one of torch, onnx, state_dict"):
        export(run, format="tflite")  # type: ignore[arg-type]


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NetworkFileError, match="holds no network"):
        export(tmp_path)


def test_an_export_is_replaced_only_when_asked_and_other_folders_never(saved: Saved) -> None:
    run, _ = saved()
    folder = export(run, format="state_dict").folder
    (folder / "own.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds an export already; replace it with --overwrite"):
        export(run, format="state_dict")
    assert (folder / "own.txt").exists()
    export(run, format="state_dict", overwrite=True)
    assert not (folder / "own.txt").exists()
    with pytest.raises(ExportError, match="holds something else than an export"):
        export(run, run / "network", format="state_dict", overwrite=True)
    (run / "file").write_text("")
    with pytest.raises(ExportError, match="is a file; an export is a folder"):
        export(run, run / "file", format="state_dict")


def test_a_network_that_comes_out_otherwise_is_not_kept(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = saved()
    write = export_module._write_state_dict

    def write_wrongly(plain: Any, description: Any, place: Path) -> None:
        with torch.no_grad():
            plain.classifier.bias += torch.tensor([1.0, 0.0, 0.0])
        write(plain, description, place)

    monkeypatch.setattr(export_module, "_WRITERS", {"state_dict": write_wrongly})
    with pytest.raises(ExportError, match="differs from the network by"):
        export(run, format="state_dict")
    assert list((run / "export").iterdir()) == []


def test_the_format_onnx_says_which_extra_it_needs(saved: Saved, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = saved()
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ExportError, match=r"pip install 'supernet-tl\[onnx\]'"):
        export(run, format="onnx")


def test_the_command_line_exports(saved: Saved, capsys: pytest.CaptureFixture[str]) -> None:
    from supernet_tl.command_line.cli import main

    run, _ = saved()
    assert main(["export", str(run), "--format", "state_dict", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["largest_difference"] <= 1e-6
    assert Path(found["file"]).stat().st_size == found["num_bytes"]
    assert main(["export", str(run), "--format", "state_dict"]) == 1
    assert "holds an export already" in capsys.readouterr().err
