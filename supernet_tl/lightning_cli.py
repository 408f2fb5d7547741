"""Plain Lightning runs of the search: ``supernet-tl fit|validate|test --config recipes/search/...``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from supernet_tl.data_module import SearchData
from supernet_tl.errors import RecipeError
from supernet_tl.quiet import without_harmless_warnings
from supernet_tl.search_module import SearchModule

VERBS = ("fit", "validate", "test")

_OWN_SETTINGS: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    (
        "accumulate_grad_batches",
        (None, 1),
        "but a search step has two optimizers, between which the trainer cannot accumulate. Raise --data.batch_size as "
        "many times instead, and take each batch in as many parts with --model.num_micro_batches.",
    ),
    (
        "gradient_clip_val",
        (None, 0, 0.0),
        "but only the weights' gradient is to be clipped, never that of the alphas. Give --model.max_gradient_norm "
        "instead.",
    ),
    (
        "use_distributed_sampler",
        (None, False),
        "but the data shares its images between processes itself, each half by its own order. Leave it out.",
    ),
)
"""Settings of the trainer, which of their values are harmless, and what to do instead of the others."""


class SearchCLI(LightningCLI):
    """LightningCLI for :class:`SearchModule` on :class:`SearchData`; the number of classes comes from the data."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what the two sides share."""
        parser.link_arguments("data.num_classes", "model.num_classes", apply_on="instantiate")

    def before_instantiate_classes(self) -> None:
        """Refuse to evaluate random weights, and trainer's settings that the search has settings of its own for."""
        config = self.config[self.subcommand]
        faults = [
            f"trainer.{name} is {config.trainer[name]}, {instead}"
            for name, harmless, instead in _OWN_SETTINGS
            if config.trainer.get(name) not in harmless
        ]
        if faults:
            raise RecipeError(" ".join(faults))
        if self.subcommand != "fit" and not config.get("ckpt_path") and not config.model.get("init_from"):
            raise RecipeError(
                f"`{self.subcommand}` was given no weights, and a random network has nothing to show; give "
                "--ckpt_path FILE of a run, or --model.init_from ZOO#ENTRY."
            )


def main(arguments: Sequence[str]) -> None:
    """Run LightningCLI on the command line after ``supernet-tl``."""
    with without_harmless_warnings():
        SearchCLI(
            SearchModule,
            SearchData,
            args=list(arguments),
            auto_configure_optimizers=False,
            trainer_defaults={"use_distributed_sampler": False},
            seed_everything_default=0,
            save_config_kwargs={"overwrite": True},
        )
