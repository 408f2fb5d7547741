import pytest

from ot_select import EmbedderError, EmbedderIdentity


def test_an_identity_is_read_back_from_its_string() -> None:
    identity = EmbedderIdentity("vit_tiny_patch16_224.augreg_in21k", "0123456789abcdef" * 4, 224, 192)
    assert EmbedderIdentity.from_string(str(identity)) == identity


def test_another_precision_is_another_identity_and_the_usual_one_is_not_mentioned() -> None:
    usual = EmbedderIdentity("resnet18", "0" * 64, 64, 512)
    half = EmbedderIdentity("resnet18", "0" * 64, 64, 512, "bfloat16")
    assert str(half) == f"{usual} precision=bfloat16"
    assert EmbedderIdentity.from_string(str(half)) == half != usual
    assert str(usual).endswith("dimension=512")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "resnet18",
        "resnet18 weights=12 image_size=64 dimension=512",
        f"resnet18 weights={'0' * 64} image_size=64 dimension=512 precision=int8",
    ],
)
def test_other_strings_get_a_sentence(text: str) -> None:
    with pytest.raises(EmbedderError, match="is no embedder identity; it should read"):
        EmbedderIdentity.from_string(text)


@pytest.mark.parametrize(
    ("name", "sha", "size", "dimension"),
    [("a b", "0" * 64, 64, 8), ("a", "0" * 63, 64, 8), ("a", "G" * 64, 64, 8), ("a", "0" * 64, 0, 8)],
)
def test_an_identity_checks_itself(name: str, sha: str, size: int, dimension: int) -> None:
    with pytest.raises(EmbedderError, match="is no embedder identity"):
        EmbedderIdentity(name, sha, size, dimension)


def test_an_unknown_precision_is_no_identity() -> None:
    with pytest.raises(EmbedderError, match=r"is no embedder identity: .* a known precision"):
        EmbedderIdentity("a", "0" * 64, 64, 8, "int8")  # type: ignore[arg-type]
