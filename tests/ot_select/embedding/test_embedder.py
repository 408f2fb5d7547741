import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from torch import nn

from ot_select import Embedder, EmbedderError, OptionError, WeightsError, WeightsNotFoundError, parse_embedder
from ot_select.embedding.identity import Precision
from ot_select.embedding.lite0 import LITE0_SHA256, lite0_file, read_lite0
from ot_select.embedding.weights import weights_sha256

LITE0 = "tf_efficientnet_lite0"


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (9, 3, 40, 52), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def resnet18() -> Any:
    """A timm ResNet18 with its classifier and seeded random weights."""
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model("resnet18", pretrained=False)
    return network.eval()


@pytest.fixture(scope="module")
def torchvision_file(resnet18: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same weights as torchvision's own ResNet18 writes them to a .pth file."""
    import torchvision  # type: ignore[import-untyped, unused-ignore]

    network = torchvision.models.resnet18(weights=None)
    network.load_state_dict(resnet18.state_dict())
    path = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save(network.state_dict(), path)
    return path


# Weights that a package carries.


@pytest.mark.parametrize(
    ("photo", "classes"),
    # Oracle: what a person sees, as ImageNet classes: cats 281, 282, 285; espresso 967; missile 657, rocket projectile
    # 744; tripod 872.
    [("chelsea", {281, 282, 285}), ("coffee", {967}), ("rocket", {657, 744}), ("camera", {872})],
)
def test_the_renamed_lite0_weights_see_in_photographs_what_is_there(photo: str, classes: set[int]) -> None:
    import timm
    from skimage import data

    path = lite0_file()
    assert path is not None
    network = timm.create_model(LITE0, pretrained=False).eval()
    network.load_state_dict(read_lite0(path))  # strict: every tensor has its place
    picture = torch.from_numpy(np.atleast_3d(getattr(data, photo)()).copy()).permute(2, 0, 1)[None].float()
    picture = picture.expand(-1, 3, -1, -1)
    short = min(picture.shape[2:])
    size = [round(side * 256 / short) for side in picture.shape[2:]]
    picture = nn.functional.interpolate(picture, size, mode="bicubic", antialias=True).clamp(0, 255)
    top, left = ((side - 224) // 2 for side in size)
    with torch.inference_mode():
        logits = network((picture[:, :, top : top + 224, left : left + 224] / 255 - 0.5) / 0.5)
    assert classes & set(logits[0].topk(3).indices.tolist())


def test_another_file_under_the_name_of_the_lite0_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"something else")
    with pytest.raises(WeightsError, match=rf"has SHA-256 [0-9a-f]{{64}}, but {LITE0_SHA256} is expected"):
        read_lite0(tmp_path / "weights.pth")


def test_lite0_embeds_with_its_own_preprocessing(images: torch.Tensor, tmp_path: Path) -> None:
    import timm

    embedder = Embedder(LITE0, image_size=64, cache_dir=tmp_path)
    features = embedder.embed(images)
    path = lite0_file()
    assert path is not None
    # Oracle: the full network by hand, normalised to mean and deviation 0.5, up to its pooled features
    network: Any = timm.create_model(LITE0, pretrained=False).eval()
    network.load_state_dict(read_lite0(path))
    resized = nn.functional.interpolate(images.float(), (64, 64), mode="bicubic", antialias=True).clamp(0, 255)
    with torch.inference_mode():
        expected = network.forward_head(network.forward_features((resized / 255 - 0.5) / 0.5), pre_logits=True)
    assert features.dtype == torch.float32
    assert not features.requires_grad
    assert torch.allclose(features, expected, atol=1e-5 * float(expected.abs().max()))
    assert (embedder.identity.name, embedder.identity.image_size, embedder.identity.dimension) == (LITE0, 64, 1280)


def test_features_do_not_depend_on_the_batch_size(images: torch.Tensor, tmp_path: Path) -> None:
    parts = [Embedder(LITE0, batch_size=size, cache_dir=tmp_path / str(size)).embed(images) for size in (1, 4, 64)]
    scale = float(parts[0].abs().max())
    for part in parts[1:]:
        assert torch.allclose(part, parts[0], rtol=0, atol=1e-5 * scale)


# Weights from a file.


def test_a_torchvision_file_loads_as_resnet18(
    resnet18: Any, torchvision_file: Path, images: torch.Tensor, tmp_path: Path
) -> None:
    embedder = Embedder("resnet18.tv_in1k", weights=torchvision_file, image_size=32, cache_dir=tmp_path)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    resized = nn.functional.interpolate(images.float(), (32, 32), mode="bicubic", antialias=True).clamp(0, 255)
    # Oracle: the source network itself, up to its pooled features
    with torch.inference_mode():
        maps = resnet18.forward_features((resized / 255 - mean.view(3, 1, 1)) / std.view(3, 1, 1))
    expected = maps.mean(dim=(2, 3))
    assert torch.allclose(embedder.embed(images), expected, atol=1e-5 * float(expected.abs().max()))


def test_the_same_weights_have_the_same_identity_from_any_file_and_other_weights_another(
    resnet18: Any, torchvision_file: Path, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    # without classifier and without the counters of batch normalisation, which some published files lack
    bare = {k: v for k, v in resnet18.state_dict().items() if not k.startswith("fc.") and "num_batches" not in k}
    save_file(bare, tmp_path / "bare.safetensors")
    changed = {k: v.clone() for k, v in bare.items()}
    changed["layer4.1.bn2.bias"][7] += 1e-3
    save_file(changed, tmp_path / "changed.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in bare.items()}}, tmp_path / "wrapped.pth")
    files = (
        torchvision_file,
        tmp_path / "bare.safetensors",
        tmp_path / "wrapped.pth",
        tmp_path / "changed.safetensors",
    )
    first, second, third, other = (Embedder(weights=file, cache_dir=tmp_path).identity for file in files)
    assert first == second == third
    assert other.weights_sha256 != first.weights_sha256


def test_weights_that_do_not_fit_are_listed(torchvision_file: Path, resnet18: Any, tmp_path: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"do not fit the network ResNet: \d+ missing: layer1\.2\.conv1\.weight.* more"
    ):
        Embedder("resnet34", weights=torchvision_file, cache_dir=tmp_path)
    state = resnet18.state_dict()
    state["layer1.0.conv1.weight"] = torch.zeros(64, 64, 1, 1)
    state["extra.weight"] = torch.zeros(1)
    del state["bn1.bias"]
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(
        WeightsError,
        match=r"1 missing: bn1\.bias; 1 unexpected: extra\.weight; 1 of another shape: "
        r"layer1\.0\.conv1\.weight \(64, 64, 1, 1\) instead of \(64, 64, 3, 3\)",
    ):
        Embedder("resnet18", weights=tmp_path / "odd.pth", cache_dir=tmp_path)


class Trap:
    """Unpickling an instance would leave a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(self.path),)  # type: ignore[return-value]


def test_a_file_that_is_no_weights_gets_a_sentence_and_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "text.pth").write_text("hello")
    (tmp_path / "empty.bin").write_bytes(b"")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save({"weight": Trap(tmp_path / "sprung")}, tmp_path / "trap.pth")
    for name in ("text.safetensors", "text.pth", "empty.bin", "list.pt", "trap.pth"):
        with pytest.raises(WeightsError, match=rf"{name} cannot be read as weights .*holds tensors only"):
            Embedder("resnet18", weights=tmp_path / name, cache_dir=tmp_path)
    assert not (tmp_path / "sprung").exists()
    with pytest.raises(WeightsNotFoundError, match=r"no weights file .*nowhere\.pth"):
        Embedder("resnet18", weights=tmp_path / "nowhere.pth", cache_dir=tmp_path)


# Weights from the hub.


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty cache of the hub's client, and a hub at a port where nobody listens."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    return tmp_path / "hub"


WAYS = (
    r"HERE.*network access.*huggingface-cli download timm/resnet18\.tv_in1k.*weights=FILE "
    r"\(--embedder resnet18\.tv_in1k@FILE\).*--embedder tf_efficientnet_lite0"
)


def test_an_unreachable_hub_gets_a_sentence_with_the_ways_to_the_weights(hub: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError, match=WAYS.replace("HERE", "127.0.0.1:9 cannot be reached")):
        Embedder(cache_dir=tmp_path)


def test_offline_mode_is_respected(hub: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsNotFoundError, match=WAYS.replace("HERE", "HF_HUB_OFFLINE is set")):
        Embedder(cache_dir=tmp_path)


def test_weights_in_the_cache_of_the_hub_need_no_network(hub: Path, resnet18: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    repository = hub / "models--timm--resnet18.tv_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    file = repository / "snapshots" / "abc" / "model.safetensors"
    save_file(resnet18.state_dict(), file)
    from_cache = Embedder(cache_dir=tmp_path).identity
    assert from_cache == Embedder(weights=file, cache_dir=tmp_path).identity
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match=r"published weights of 'resnet18\.tv_in1k' do not load"):
        Embedder(cache_dir=tmp_path)


# Everything else about an embedder.


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("resnet_18", "timm knows no network 'resnet_18'. Close to it: resnet18"),
        ("resnet18.tv_in2k", r"timm knows no network 'resnet18\.tv_in2k'\. Close to it: resnet18"),
        ("qqqqqqqq", r"'qqqqqqqq'\. timm\.list_models\(\) lists them all"),
        ("", "timm knows no network ''"),
        ("vit_tiny_patch16_224", "takes images of 224 pixels only, but image_size is 64. Give image_size=224"),
    ],
)
def test_networks_that_cannot_be_built_get_a_sentence(name: str, sentence: str) -> None:
    with pytest.raises(EmbedderError, match=sentence):
        Embedder(name)


def test_sizes_out_of_range_get_a_sentence() -> None:
    with pytest.raises(OptionError, match="image_size is 0"):
        Embedder("resnet18", image_size=0)
    with pytest.raises(OptionError, match=r"batch_size is 1\.5"):
        Embedder("resnet18", batch_size=1.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "images",
    [
        torch.zeros(2, 3, 8, 8),
        torch.zeros(2, 1, 8, 8, dtype=torch.uint8),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        torch.zeros(0, 3, 8, 8, dtype=torch.uint8),
    ],
)
def test_what_is_no_batch_of_images_gets_a_sentence(
    images: torch.Tensor, torchvision_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(EmbedderError, match=r"but uint8 of shape \(n, 3, h, w\) with at least one image is needed"):
        Embedder(weights=torchvision_file, cache_dir=tmp_path).embed(images)


def test_building_an_embedder_leaves_the_global_generator_alone(torchvision_file: Path, tmp_path: Path) -> None:
    before = torch.random.get_rng_state()
    Embedder(weights=torchvision_file, cache_dir=tmp_path)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_the_weights_hash_covers_names_shapes_and_bytes() -> None:
    def hashed(**tensors: torch.Tensor) -> str:
        network = nn.Module()
        for name, tensor in tensors.items():
            network.register_buffer(name, tensor)
        return weights_sha256(network)

    ones = torch.ones(2, 3)
    others = [
        hashed(a=ones),
        hashed(b=ones),
        hashed(a=ones.reshape(3, 2)),
        hashed(a=ones * 2),
        hashed(a=ones.double()),
        hashed(a=torch.tensor(1.0)),
    ]
    assert len(set(others)) == len(others)
    assert hashed(a=ones, b=ones * 2) == hashed(b=ones * 2, a=ones)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resnet50.a1_in1k", ("resnet50.a1_in1k", None)),
        ("resnet18@my/w.pth", ("resnet18", Path("my/w.pth"))),
        ("tf_efficientnet_lite0@w.safetensors", ("tf_efficientnet_lite0", Path("w.safetensors"))),
        ("w.pth", ("resnet18.tv_in1k", Path("w.pth"))),
        ("/data/me@home/w", ("resnet18.tv_in1k", Path("/data/me@home/w"))),
        ("resnet18@/data/me@home/w.bin", ("resnet18", Path("/data/me@home/w.bin"))),
    ],
)
def test_an_embedder_is_given_as_name_or_name_at_file_or_file(text: str, expected: tuple[str, Path | None]) -> None:
    assert parse_embedder(text) == expected


@pytest.mark.parametrize("text", ["", "resnet18@", "@w.pth"])
def test_half_an_embedder_gets_a_sentence(text: str) -> None:
    with pytest.raises(EmbedderError, match="NAME, NAME@FILE or FILE is needed"):
        parse_embedder(text)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, ot_select; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "ot_select" in loaded
    assert not {
        "torch",
        "ot",
        "scipy",
        "timm",
        "lightning",
        "skimage",
        "sklearn",
        "matplotlib",
        "huggingface_hub",
    } & set(loaded)


def test_an_unknown_precision_gets_a_sentence() -> None:
    with pytest.raises(OptionError, match="precision is 'int8', but one of 'float32', 'bfloat16', 'float16' is needed"):
        Embedder("resnet18", precision="int8")  # type: ignore[arg-type]


def test_half_precision_gives_nearly_the_same_features_under_another_identity(
    images: torch.Tensor, tmp_path: Path
) -> None:
    full, half = (Embedder(LITE0, image_size=32, cache_dir=tmp_path, precision=p) for p in get_args(Precision)[:2])
    expected, found = full.embed(images), half.embed(images)
    assert found.dtype == torch.float32
    apart = float((found - expected).norm() / expected.norm())
    assert 1e-3 < apart < 0.2  # bfloat16 has eight binary digits, and errors add up over fifty layers
    assert str(half.identity) == f"{full.identity} precision=bfloat16"


def test_features_that_are_not_finite_get_a_sentence(resnet18: Any, images: torch.Tensor, tmp_path: Path) -> None:
    state = {name: tensor.clone() for name, tensor in resnet18.state_dict().items()}
    state["layer4.1.bn2.bias"][7] = 1e5  # beyond half precision
    torch.save(state, tmp_path / "large.pth")
    options: dict[str, Any] = {"weights": tmp_path / "large.pth", "image_size": 32, "cache_dir": tmp_path / "cache"}
    assert Embedder(**options).embed(images).max() > 65504
    with pytest.raises(EmbedderError, match=r"image 0 hold NaN or infinity in float16, .*precision='float32'"):
        Embedder(**options, precision="float16").embed(images)
    state["layer4.1.bn2.bias"][7] = torch.nan
    torch.save(state, tmp_path / "large.pth")
    with pytest.raises(EmbedderError, match=r"image 0 hold NaN or infinity in float32, .*check the weights"):
        Embedder(**options).embed(images)


# Kept embeddings.


@pytest.fixture
def make_embedder(torchvision_file: Path, tmp_path: Path) -> Callable[..., Embedder]:
    def make(**options: object) -> Embedder:
        return Embedder(weights=torchvision_file, **({"image_size": 32, "cache_dir": tmp_path} | options))  # type: ignore[arg-type]

    return make


def counted(
    embedder: Embedder, images: torch.Tensor | Iterable[torch.Tensor], num_images: int | None = None
) -> tuple[torch.Tensor, list[tuple[int, int]]]:
    calls: list[tuple[int, int]] = []
    return embedder.embed(images, lambda done, total: calls.append((done, total)), num_images), calls


def test_the_same_images_are_embedded_once(
    make_embedder: Callable[..., Embedder], images: torch.Tensor, tmp_path: Path
) -> None:
    first, calls = counted(make_embedder(batch_size=4), images)
    assert calls == [(4, 9), (8, 9), (9, 9)]
    second, calls = counted(make_embedder(batch_size=4), images.clone())
    assert calls == [(9, 9)]
    assert torch.equal(first, second)
    assert len(list(tmp_path.iterdir())) == 1


def test_of_a_set_that_has_grown_or_changed_only_the_new_images_are_embedded(
    make_embedder: Callable[..., Embedder], images: torch.Tensor
) -> None:
    embedder = make_embedder(batch_size=1)
    first = embedder.embed(images[:6])
    changed = images[torch.tensor([8, 0, 1, 2, 7, 3, 4, 5, 8])].clone()
    changed[3, 0, 2, 2] ^= 128  # one pixel of an image that was known
    grown, calls = counted(embedder, changed)
    assert calls == [(7, 9), (8, 9), (9, 9)]  # new are 8 (twice), 7 and the changed one
    assert torch.equal(grown[[1, 2, 5, 6, 7]], first[[0, 1, 3, 4, 5]])
    assert torch.equal(grown[0], grown[8])
    assert not torch.equal(grown[3], first[2])


def test_images_of_another_shape_and_other_embedders_share_nothing(
    make_embedder: Callable[..., Embedder], images: torch.Tensor, tmp_path: Path
) -> None:
    embedder = make_embedder()
    embedder.embed(images)
    half = make_embedder(precision="bfloat16")
    for other, batch in (
        (embedder, images.reshape(9, 3, 52, 40)),
        (make_embedder(image_size=48), images),
        (half, images),
    ):
        assert not torch.equal(other.embed(batch), embedder.embed(images))
    assert len(list(tmp_path.iterdir())) == 3  # a file for each embedder


def test_a_set_may_be_given_in_parts_that_are_made_one_after_another(
    make_embedder: Callable[..., Embedder], images: torch.Tensor, tmp_path: Path
) -> None:
    alive: list[int] = []

    def parts() -> Iterator[torch.Tensor]:
        for start in (0, 4, 8):
            alive.append(start)
            yield images[start : start + 4]

    found, calls = counted(make_embedder(cache_dir=tmp_path / "parts"), parts(), num_images=9)
    assert calls == [(4, 9), (8, 9), (9, 9)]
    assert alive == [0, 4, 8]
    expected = make_embedder(cache_dir=tmp_path / "whole").embed(images)
    assert torch.allclose(found, expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    assert counted(make_embedder(cache_dir=tmp_path / "parts"), parts())[1] == [(4, 0), (8, 0), (9, 0)]


def test_parts_that_are_no_images_or_none_at_all_get_a_sentence(
    make_embedder: Callable[..., Embedder], images: torch.Tensor
) -> None:
    with pytest.raises(EmbedderError, match="There are no images to embed"):
        make_embedder().embed(iter([]))
    with pytest.raises(EmbedderError, match=r"The images are torch.float32 .*, but uint8 of shape \(n, 3, h, w\)"):
        make_embedder().embed([images, images.float()])
    with pytest.raises(EmbedderError, match=r"The images are ndarray, but .* torch\.from_numpy"):
        make_embedder().embed([images.numpy()])  # type: ignore[list-item]


def test_what_was_done_before_an_error_is_kept(make_embedder: Callable[..., Embedder], images: torch.Tensor) -> None:
    def parts() -> Iterator[torch.Tensor]:
        yield images[:5]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        make_embedder().embed(parts())
    assert counted(make_embedder(batch_size=1), images)[1] == [(done, 9) for done in (6, 7, 8, 9)]


def test_the_cache_lies_where_the_environment_says(
    make_embedder: Callable[..., Embedder], images: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPERNET_TL_CACHE", str(tmp_path / "elsewhere"))
    make_embedder(cache_dir=None).embed(images)
    assert [path.suffix for path in (tmp_path / "elsewhere" / "embeddings").iterdir()] == [".sqlite"]


def test_a_cache_that_cannot_be_written_costs_a_warning_and_not_the_features(
    make_embedder: Callable[..., Embedder], images: torch.Tensor, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.warns(UserWarning, match="could not be kept in .*computed again next time. Set SUPERNET_TL_CACHE"):
        features = make_embedder(cache_dir=tmp_path / "file").embed(images)
    assert features.shape == (9, 512)
