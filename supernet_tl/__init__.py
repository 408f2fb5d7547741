"""Supernet transfer learning: from a folder of images to a small trained network.

Names are imported when they are first used, so that ``import supernet_tl`` and the command line start at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supernet_tl.conflicts import refuse_conflicting_packages

if TYPE_CHECKING:
    from supernet_tl.adapters import load_supernet
    from supernet_tl.comparing.distances import distance
    from supernet_tl.comparing.embedding import embed
    from supernet_tl.comparing.embedding_file import Embedding, load_embedding
    from supernet_tl.comparing.results import Distances, PairDistance
    from supernet_tl.control import Control
    from supernet_tl.evaluating.evaluate import EvaluationResult, Workers, leave_one_out
    from supernet_tl.evaluating.recipe import EvaluationRecipe
    from supernet_tl.exporting.export import Exported, export
    from supernet_tl.network_file import Classifier, load_classifier, save_classifier
    from supernet_tl.pipeline import TransferResult, search, select, transfer
    from supernet_tl.pretraining import pretrain
    from supernet_tl.recipe import Recipe
    from supernet_tl.training.search_module import SearchModule
    from supernet_tl.training.train_module import TrainModule
    from supernet_tl.zoos import open_zoo

__all__ = [
    "Classifier",
    "Control",
    "Distances",
    "Embedding",
    "EvaluationRecipe",
    "EvaluationResult",
    "Exported",
    "PairDistance",
    "Recipe",
    "SearchModule",
    "TrainModule",
    "TransferResult",
    "Workers",
    "distance",
    "embed",
    "export",
    "leave_one_out",
    "load_classifier",
    "load_embedding",
    "load_supernet",
    "open_zoo",
    "pretrain",
    "save_classifier",
    "search",
    "select",
    "transfer",
]

_HOMES = {
    "adapters": ("load_supernet",),
    "comparing.distances": ("distance",),
    "comparing.embedding": ("embed",),
    "comparing.embedding_file": ("Embedding", "load_embedding"),
    "comparing.results": ("Distances", "PairDistance"),
    "control": ("Control",),
    "evaluating.evaluate": ("EvaluationResult", "Workers", "leave_one_out"),
    "evaluating.recipe": ("EvaluationRecipe",),
    "exporting.export": ("Exported", "export"),
    "network_file": ("Classifier", "load_classifier", "save_classifier"),
    "pipeline": ("TransferResult", "search", "select", "transfer"),
    "pretraining": ("pretrain",),
    "recipe": ("Recipe",),
    "training.search_module": ("SearchModule",),
    "training.train_module": ("TrainModule",),
    "zoos": ("open_zoo",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'supernet_tl' has no attribute {name!r}")
    refuse_conflicting_packages()
    from importlib import import_module

    value = getattr(import_module(f"supernet_tl.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
