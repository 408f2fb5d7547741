"""States of supernets: which one a state belongs to, and where it differs from the one at hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from darts.arch_shapes import spaces_of_shape
from darts.errors import StateError
from darts.macro import stem_of


@dataclass(frozen=True)
class StateDifference:
    """Where a state does not fit, in words.

    Attributes:
        missing: tensors that it lacks.
        misfits: tensors of another shape, with both shapes.
        surplus: tensors that have no place.
    """

    missing: tuple[str, ...]
    misfits: tuple[str, ...]
    surplus: tuple[str, ...]

    @classmethod
    def between(
        cls, state: Mapping[str, Tensor], target: Mapping[str, Tensor], surplus: Iterable[str]
    ) -> StateDifference:
        """Compare with the tensors that are expected."""
        misfits = (
            f"{name} is {tuple(state[name].shape)}, expected {tuple(tensor.shape)}"
            for name, tensor in target.items()
            if name in state and state[name].shape != tensor.shape
        )
        return cls(tuple(name for name in target if name not in state), tuple(misfits), tuple(surplus))

    def __bool__(self) -> bool:
        return bool(self.missing or self.misfits or self.surplus)

    def __str__(self) -> str:
        return (
            f"{len(self.missing)} tensors missing{_some(self.missing)}, "
            f"{len(self.misfits)} of another shape{_some(self.misfits)}, "
            f"{len(self.surplus)} of cells, ops or a stem that it does not have{_some(self.surplus)}"
        )


def describe_state(state: Mapping[str, Tensor]) -> str:
    """The sizes of the supernet that a state belongs to, as far as its tensors tell."""
    if any(name not in state or state[name].ndim != 2 for name in ("normal_alpha", "classifier.weight")):
        return "no supernet (it lacks alphas or a classifier)"
    num_edges, num_primitives = state["normal_alpha"].shape
    num_classes, features = state["classifier.weight"].shape
    # num_edges = 2 + 3 + ... + (num_nodes + 1); the classifier sees num_nodes maps of four times the first channels.
    num_nodes = (math.isqrt(9 + 8 * num_edges) - 3) // 2
    num_cells = len({name.split(".")[1] for name in state if name.startswith("cells.")})
    known = spaces_of_shape((num_edges, num_primitives))
    space = (
        f"of space {' or '.join(map(repr, known))}"
        if known
        else f"with {num_primitives} primitives on {num_edges} edges"
    )
    stem = stem_of(state)
    in_channels = state["stem.0.weight"].shape[1] if stem else 3
    edges = ", with weights of edges" if "normal_beta" in state else ""
    unusual = (f", in_channels={in_channels}" if in_channels != 3 else "") + (
        f", stem={stem!r}" if stem == "imagenet" else ""
    )
    return (
        f"a supernet {space}, channels={features // (4 * max(1, num_nodes))}, num_cells={num_cells}, "
        f"num_classes={num_classes}{unusual}{edges}"
    )


class CheckedState(nn.Module):
    """A supernet that says in a sentence which supernet a state belongs to that it cannot take."""

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As of every module, but with ``strict`` a state of another supernet changes nothing.

        Raises:
            StateError: with ``strict``: a tensor is missing, has another shape or has no place.
        """
        target = self.state_dict()
        surplus = [name for name in state_dict if name not in target]
        if strict and (difference := StateDifference.between(state_dict, target, surplus)):
            raise StateError(
                f"the state does not fit: it is of {describe_state(state_dict)}; expected {describe_state(target)}: "
                f"{difference}. Build the supernet with the state's space, channels, num_cells, num_classes, "
                "in_channels, stem and family; from a state for other classes begin with darts.warm_start."
            )
        return super().load_state_dict(state_dict, strict, assign)


def _some(items: tuple[str, ...], limit: int = 3) -> str:
    return f" ({'; '.join(items[:limit])}{'; …' if len(items) > limit else ''})" if items else ""
