"""Plain Lightning runs of the search: ``supernet-tl fit|validate|test --config recipes/search/...``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

from supernet_tl.data_module import SearchData
from supernet_tl.errors import RecipeError, RunFolderError
from supernet_tl.training.callbacks import EpochCheckpoint
from supernet_tl.training.checkpoints import last_checkpoint, read_checkpoint, require_same_origin
from supernet_tl.training.quiet import without_harmless_warnings
from supernet_tl.training.search_module import SearchModule

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
    """LightningCLI for :class:`SearchModule` on :class:`SearchData`; classes and channels come from the data.

    One folder, ``--trainer.default_root_dir``, holds one run: ``logs/`` and ``checkpoints/last.ckpt``, which
    ``--ckpt_path last`` stands for. A run that goes on adds to both; a new one begins in another folder.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what the two sides share."""
        for name in ("num_classes", "in_channels"):
            parser.link_arguments(f"data.{name}", f"model.{name}", apply_on="instantiate")
        parser.link_arguments("model.stem", "data.stem")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Find the checkpoint that is meant by ``last``."""
        super().parse_arguments(parser, args)
        config = self.config[self.config.subcommand]
        if config.ckpt_path == "last":
            config.ckpt_path = str(last_checkpoint(_root(config.trainer)))
        if config.ckpt_path:
            read_checkpoint(Path(config.ckpt_path))

    def before_instantiate_classes(self) -> None:
        """Refuse settings that the search has its own for, to evaluate random weights, and to write over a run."""
        config = self.config[self.subcommand]
        faults = [
            f"trainer.{name} is {config.trainer[name]}, {instead}"
            for name, harmless, instead in _OWN_SETTINGS
            if config.trainer.get(name) not in harmless
        ]
        if faults:
            raise RecipeError(" ".join(faults))
        if config.ckpt_path:
            return
        if self.subcommand != "fit":
            if not config.model.get("init_from"):
                raise RecipeError(
                    f"`{self.subcommand}` was given no weights, and a random network has nothing to show; give "
                    "--ckpt_path FILE of a run, or --model.init_from ZOO#ENTRY."
                )
        elif (last := last_checkpoint(_root(config.trainer))).exists():
            raise RunFolderError(
                f"{last} is the checkpoint of a run; a new one would write over it. Go on with that run (--ckpt_path "
                "last), or choose another --trainer.default_root_dir."
            )

    def after_instantiate_classes(self) -> None:
        """Refuse the checkpoint of another or of a longer run, before anything in the run's folder is touched."""
        path = self.config[self.subcommand].ckpt_path
        if not path:
            return
        checkpoint = read_checkpoint(Path(path))
        require_same_origin(checkpoint, self.model.origin(), path)
        require_same_origin(checkpoint.get(SearchData.__qualname__, {}), self.datamodule.origin(), path)
        num_epochs, found = self.trainer.max_epochs, checkpoint["epoch"] + 1
        if self.subcommand == "fit" and num_epochs is not None and 0 <= num_epochs < found:
            raise RecipeError(
                f"the checkpoint {path} has {found} epochs behind it, and trainer.max_epochs is {num_epochs}; expected "
                f"at least {found}. Give --trainer.max_epochs {found} or more."
            )

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Keep the run's checkpoint and, unless the recipe has a logger of its own, its logs in its folder."""
        settings = self.config_init[self.subcommand].trainer
        root = _root(settings)
        if settings.logger in (None, True):
            kwargs["logger"] = TensorBoardLogger(root, name="logs", version=self.subcommand)
        if settings.enable_checkpointing is not False and not settings.fast_dev_run:
            given = settings.callbacks or []
            listed = list(given) if isinstance(given, list | tuple) else [given]
            kwargs["callbacks"] = [*listed, EpochCheckpoint(last_checkpoint(root))]
        return super().instantiate_trainer(**kwargs)


def main(arguments: Sequence[str]) -> None:
    """Run LightningCLI on the command line after ``supernet-tl``.

    Raises:
        RecipeError: settings that Lightning refuses.
    """
    with without_harmless_warnings():
        try:
            SearchCLI(
                SearchModule,
                SearchData,
                args=list(arguments),
                auto_configure_optimizers=False,
                trainer_defaults={"use_distributed_sampler": False},
                seed_everything_default=0,
                save_config_kwargs={"overwrite": True},
            )
        except MisconfigurationException as error:
            raise RecipeError(str(error)) from error


def _root(trainer: Any) -> Path:
    """The folder of the run."""
    return Path(trainer.default_root_dir or ".")
