"""Scores over images and over classes, held against scikit-learn."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from torch import Tensor, nn

from supernet_tl.classification_module import ClassificationModule
from supernet_tl.data import ImageTensors
from supernet_tl.prepared_data import evaluation_loader
from supernet_tl.scores import BalancedAccuracy, Scores, score_metrics, score_names
from supernet_tl.stages import scores_on

NUM_CLASSES = 7


def _draws(seed: int) -> tuple[Tensor, Tensor]:
    """Logits and labels of 40 images: classes 4 to 6 do not occur, class 4 is predicted, class 0 has most images."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.multinomial(torch.tensor([0.7, 0.1, 0.1, 0.1]), 40, replacement=True, generator=generator)
    logits = torch.randn(40, NUM_CLASSES, generator=generator)
    logits[:, 5:] = -9
    return logits, labels


def _expected(predicted: Tensor, labels: Tensor) -> Scores:
    """Oracle: scikit-learn."""
    told = labels.numpy(), predicted.numpy()
    macro = f1_score(*told, average="macro")
    # Of classes that were predicted and never occur, scikit-learn warns and leaves them out of the balanced accuracy.
    return Scores(accuracy_score(*told), balanced_accuracy_score(*told), macro)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.parametrize("seed", range(10))
def test_scores_are_those_of_scikit_learn_however_the_images_are_batched(seed: int) -> None:
    logits, labels = _draws(seed)
    expected = _expected(logits.argmax(dim=1), labels)
    assert 4 in logits.argmax(dim=1)
    for batch_size in (1, 7, 40):
        metrics = score_metrics(NUM_CLASSES, "test")
        for start in range(0, 40, batch_size):
            metrics.update(logits[start : start + batch_size], labels[start : start + batch_size])
        found = {name: float(value) for name, value in metrics.compute().items()}
        assert found == pytest.approx(dict(zip(score_names("test"), expected, strict=True)), abs=1e-6)


@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
def test_counts_of_several_processes_are_added_before_they_are_divided() -> None:
    logits, labels = _draws(0)
    shares = [BalancedAccuracy(NUM_CLASSES) for _ in range(2)]
    shares[0].update(logits[:9], labels[:9])
    shares[1].update(logits[9:], labels[9:])
    # What torchmetrics does between processes: every state is gathered and reduced as it was declared to be.
    for name, reduce in shares[0]._reductions.items():
        states = torch.stack([getattr(share, name) for share in shares])
        assert callable(reduce)
        setattr(shares[0], name, reduce(states))
    expected = balanced_accuracy_score(labels.numpy(), logits.argmax(dim=1).numpy(), adjusted=False)
    assert float(shares[0].compute()) == pytest.approx(expected, abs=1e-6)


class _Reads(nn.Module):
    """A network whose logits are written in the images."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3)) @ torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_a_module_is_scored_over_the_whole_loader_and_anew_each_time() -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (300, 3, 4, 4), generator=generator).to(torch.uint8)
    labels = torch.multinomial(torch.tensor([0.8, 0.15, 0.05]), 300, replacement=True, generator=generator)
    data = ImageTensors.of(images, labels)
    module = ClassificationModule(_Reads(), num_classes=3, augmentation=None, seed=0)
    with torch.no_grad():
        predicted = module(data.__getitems__(range(300))[0]).argmax(dim=1)
    for _ in range(2):
        found = scores_on(module, evaluation_loader(data, batch_size=70), "cpu")
        assert found == pytest.approx(_expected(predicted, labels), abs=1e-6)
