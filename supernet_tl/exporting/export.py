"""Put the network of a run into a folder that needs nothing of this project."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors.torch import save as save_tensors
from torch import Tensor

from supernet_tl.adapters import library_versions, plain_state
from supernet_tl.errors import ExportError
from supernet_tl.exporting import model_card
from supernet_tl.exporting.stand_alone.network import Network, from_folder
from supernet_tl.files import read_json, write_json
from supernet_tl.network_file import DESCRIPTION_FILE, Classifier, load_classifier

Format = Literal["torch", "onnx", "state_dict"]
"""What a network is exported as: a program of torch.export, an ONNX model, or weights with a PyTorch module."""

SCHEMA = 1
FACTS_FILE = "export.json"
TOLERANCE = 1e-4
"""By how much probabilities of an exported network may differ from those of the network itself."""

_TORCH = torch.__version__.partition("+")[0]
_STAND_ALONE = Path(__file__).parent / "stand_alone"
_FILES: Mapping[Format, tuple[str, Mapping[str, str], tuple[str, ...]]] = {
    # A program is read by the PyTorch that wrote it and by later ones.
    "torch": ("network.pt2", {"torch_runtime.py": "runtime.py"}, (f"torch>={_TORCH}",)),
    "onnx": ("network.onnx", {"onnx_runtime.py": "runtime.py"}, ("onnxruntime>=1.20",)),
    "state_dict": (
        "network.safetensors",
        {"weights_runtime.py": "runtime.py", "network.py": "network.py"},
        ("torch>=2.6", "safetensors>=0.4.5"),
    ),
}
"""By format: the network's file, the files that are copied with what they are called there, and what they need."""


@dataclass(frozen=True)
class Exported:
    """What an export left.

    Attributes:
        folder: of the export.
        file: of the network in it.
        format: of the file.
        num_bytes: of the file.
        largest_difference: of class probabilities from those of the network itself, over images of noise.
    """

    folder: Path
    file: Path
    format: Format
    num_bytes: int
    largest_difference: float

    def to_dict(self) -> dict[str, Any]:
        """The values as plain JSON."""
        return {
            "folder": str(self.folder),
            "file": str(self.file),
            "format": self.format,
            "num_bytes": self.num_bytes,
            "largest_difference": self.largest_difference,
        }


def export(
    run: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    format: Format = "torch",
    *,
    overwrite: bool = False,
) -> Exported:
    """Export the network of a run: 8-bit images go in, class probabilities come out, for any number of images.

    Scaling and normalisation of the images are inside the network, its class names inside the file. With it come a
    script that classifies image files (``predict.py``), what that script needs (``requirements.txt``) and a model card
    (``README.md``). The exported network is compared with the original before it is kept.

    Args:
        run: the folder of a finished run, or its folder ``network``.
        output: a new folder; ``RUN/export/FORMAT`` when absent.
        format: ``torch`` (a program of torch.export), ``onnx`` (for ONNX Runtime and others; needs the extra ``onnx``)
            or ``state_dict`` (safetensors, with the network as a PyTorch module in one file).
        overwrite: replace an export that the output holds.

    Raises:
        NetworkFileError: the folder holds no network.
        ExportError: the format is unknown, the output holds something else, what the format needs is not installed, or
            the network cannot be exported.
    """
    if format not in get_args(Format):
        raise ExportError(f"the format is {format!r}; expected one of {', '.join(get_args(Format))}.")
    folder = Path(run)
    network = folder / "network" if (folder / "network" / DESCRIPTION_FILE).is_file() else folder
    classifier = load_classifier(network)
    facts = read_json(network / DESCRIPTION_FILE)
    summary = read_json(network.parent / "summary.json") if (network.parent / "summary.json").is_file() else None
    target = Path(output) if output is not None else folder / "export" / format
    _check_output(target, overwrite=overwrite)
    plain = _plain(classifier, facts)
    description = _description(classifier, facts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as temporary:
        place = Path(temporary) / "export"
        place.mkdir()
        name, copied, needed = _FILES[format]
        try:
            _WRITERS[format](plain, description, place)
        except ExportError:
            raise
        except Exception as error:  # whatever an exporter makes of a network
            reason = (str(error).strip() or "no reason given").splitlines()[0]
            raise ExportError(
                f"PyTorch {torch.__version__} cannot write this network in the format {format} "
                f"({type(error).__name__}: {reason}). Try --format state_dict, which needs no exporter."
            ) from error
        for file, called in {"predict.py": "predict.py", **copied}.items():
            shutil.copyfile(_STAND_ALONE / file, place / called)
        requirements = "\n".join((*needed, "numpy>=1.26", "pillow>=10.1"))
        (place / "requirements.txt").write_text(requirements + "\n", encoding="utf-8")
        difference = _largest_difference(place, format, classifier)
        found = Exported(target, target / name, format, (place / name).stat().st_size, difference)
        card = model_card.page(facts, summary, format=format, file=name, network=classifier.network)
        (place / "README.md").write_text(card, encoding="utf-8")
        written = {"format": format, "file": name, "largest_difference": difference, "versions": library_versions()}
        write_json(place / FACTS_FILE, {"schema_version": SCHEMA, **written})
        if target.exists():
            shutil.rmtree(target)
        os.replace(place, target)
    return found


def _check_output(target: Path, *, overwrite: bool) -> None:
    if target.is_file():
        raise ExportError(f"{target} is a file; an export is a folder. Choose another --output.")
    if not target.exists() or not any(target.iterdir()):
        return
    if not (target / FACTS_FILE).is_file():
        raise ExportError(f"{target} holds something else than an export; choose a new folder as --output.")
    if not overwrite:
        raise ExportError(f"{target} holds an export already; replace it with --overwrite, or choose another --output.")


def _description(classifier: Classifier, facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is said of the network inside its file: all that a caller must know, and what it is built from."""
    network = classifier.network
    return {
        "class_names": list(classifier.class_names),
        "image_size": classifier.image_size,
        "in_channels": network.in_channels,
        "input": f"uint8, (batch, {network.in_channels}, {classifier.image_size}, {classifier.image_size}), "
        f"{'grey' if network.in_channels == 1 else 'RGB'}; centre-cropped to a square, then resized",
        "output": "float32, (batch, classes): probabilities, in the order of class_names",
        "normalisation": classifier.normalisation.to_dict(),
        **{name: facts[name] for name in ("genotype", "channels", "num_cells", "pool_norm")},
        "stem": network.stem_name,
    }


def _plain(classifier: Classifier, facts: Mapping[str, Any]) -> Network:
    """The network as the plain module that exports carry."""
    network = classifier.network
    if "noise" in {name for name, _ in (*network.genotype.normal, *network.genotype.reduction)}:
        raise ExportError(
            "the network has ops that draw noise (space S4), so that no export of it would predict what it predicts; "
            "expected a network of another space."
        )
    plain = Network(_description(classifier, facts))
    plain.load_state_dict({name: tensor.cpu() for name, tensor in plain_state(network).items()})
    return plain.eval()


def _example(network: Network | Classifier, num: int) -> Tensor:
    """Images of noise."""
    in_channels = network.in_channels if isinstance(network, Network) else network.network.in_channels
    shape = (num, in_channels, network.image_size, network.image_size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(num))


def _write_torch(plain: Network, description: Mapping[str, Any], place: Path) -> None:
    program = torch.export.export(plain, (_example(plain, 2),), dynamic_shapes={"images": {0: _any_number()}})
    torch.export.save(program, str(place / "network.pt2"), extra_files={"description.json": _as_json(description)})


def _write_onnx(plain: Network, description: Mapping[str, Any], place: Path) -> None:
    try:
        import onnx
        import onnxruntime  # noqa: F401  # compares the model with the network
        import onnxscript  # noqa: F401  # torch's exporter imports it
    except ImportError as error:
        raise ExportError(
            f"the format onnx needs packages that are not installed ({error}); pip install 'supernet-tl[onnx]'."
        ) from error
    file = place / "network.onnx"
    torch.onnx.export(
        plain,
        (_example(plain, 2),),
        str(file),
        dynamo=True,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_shapes={"images": {0: _any_number()}},
        external_data=False,
        verbose=False,
    )
    model = onnx.load(file)
    onnx.helper.set_model_props(
        model,
        {"description": _as_json(description), "class_names": _as_json(list(plain.class_names))},
    )
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _write_state_dict(plain: Network, description: Mapping[str, Any], place: Path) -> None:
    (place / "network.safetensors").write_bytes(save_tensors(plain.state_dict()))
    write_json(place / "network.json", description)


def _any_number() -> Any:
    return torch.export.Dim("batch", min=1)


def _as_json(values: Any) -> str:
    return json.dumps(values, ensure_ascii=False, allow_nan=False)


def _largest_difference(place: Path, format: Format, classifier: Classifier) -> float:
    """Run what was written, on one image and on several, beside the network itself.

    Raises:
        ExportError: they differ.
    """
    predict = _loaded(place, format)
    differences = []
    for num in (1, 5):
        images = _example(classifier, num)
        expected = classifier.predict(images)
        found = torch.from_numpy(predict(images.numpy()))
        differences.append(float((found - expected).abs().max()))
    largest = max(differences)
    if not largest <= TOLERANCE:
        raise ExportError(
            f"the exported network differs from the network by {largest:.2g} in a probability; expected at most "
            f"{TOLERANCE:g}. Nothing was kept; try another --format."
        )
    return largest


def _loaded(place: Path, format: Format) -> Callable[[Any], Any]:
    if format == "onnx":
        from supernet_tl.exporting.stand_alone import onnx_runtime

        return onnx_runtime.load(place)[0]
    if format == "torch":
        from supernet_tl.exporting.stand_alone import torch_runtime

        return torch_runtime.load(place)[0]
    network = from_folder(place)
    return lambda images: network(torch.from_numpy(images)).detach().numpy()


_WRITERS: Mapping[Format, Callable[[Network, Mapping[str, Any], Path], None]] = {
    "torch": _write_torch,
    "onnx": _write_onnx,
    "state_dict": _write_state_dict,
}
