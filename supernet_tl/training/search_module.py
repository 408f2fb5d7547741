"""The bilevel search as a Lightning module: it conducts, the maths is in ``darts``."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, cast

import torch
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler

import darts
from darts.modes import frozen
from supernet_tl.data import Augmentation, Batch, Shard
from supernet_tl.errors import ProcessesDifferError, RecipeError
from supernet_tl.prepared_data import in_process, refuse_unshared
from supernet_tl.recipe import Order, Perturbation, Recipe
from supernet_tl.spaces import find_space
from supernet_tl.training.classification_module import ClassificationModule
from supernet_tl.training.divergence import require_finite_loss
from supernet_tl.training.inheritance import Inheritance, freeze_all_but, keep_head_alone, scaled_rate
from supernet_tl.training.objective import Objective
from supernet_tl.training.processes import mean_over_processes, ranks_that_differ, take_from_first
from supernet_tl.training.schedules import cosine_over, take_rates
from supernet_tl.training.seeds import epoch_seed
from supernet_tl.training.warm_schedule import WarmSchedule

SearchBatch = dict[str, Batch]
"""``weight`` and ``architecture``: normalised images (b, 3, s, s) and labels (b,) of the two halves."""

DEFAULT_WEIGHT_OPTIMIZER = partial(torch.optim.SGD, lr=0.025, momentum=0.9, weight_decay=3e-4)
DEFAULT_ARCH_OPTIMIZER = partial(torch.optim.Adam, lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)


class SearchModule(ClassificationModule):
    """Bilevel search: DARTS of first or second order, with or without a perturbation of SmoothDARTS.

    Each step moves alpha on the architecture batch, then the weights on the weight batch with perturbed mixing weights.
    Several processes (Lightning's DDP) search one supernet: the weights' gradients pass through DDP, whatever concerns
    the alphas is averaged here, and after every epoch the alphas are compared.

    Args:
        num_classes: of the target dataset.
        space: name of the search space.
        channels: of the supernet's first cells.
        num_cells: of the supernet.
        in_channels: of the images.
        stem: of the supernet.
        family: of the supernet: how its ops are mixed; a name of :data:`darts.FAMILIES`.
        weight_optimizer: over the weights only.
        arch_optimizer: over the alphas only.
        weight_scheduler: stepped once an epoch; cosine from the optimizer's rate down to 0.001 over ``max_epochs`` when
            absent.
        order: of the alphas' gradient: ``first`` holds the weights fixed, ``unrolled`` looks ahead by the step they
            would take; then the weight optimizer must be SGD.
        perturbation: of the mixing weights in the weight step: ``random``, ``adversarial`` or ``none``.
        max_radius: the perturbation's radius grows from 0.03 towards this over ``max_epochs``.
        attack_steps: gradient steps of the adversarial perturbation.
        random_start: begin the adversarial perturbation at a random point.
        num_micro_batches: parts that each batch is taken in, to save memory.
        max_gradient_norm: weight gradients are clipped to this norm, alphas never.
        augmentation: applied to both batches of a step; none when absent.
        init_from: ``ZOO#ENTRY``: warm-start from this zoo entry (``--ckpt_path`` resumes a run instead; give both to go
            on with a run whose ``warm`` is not the default).
        first_alpha_epoch: so many first epochs of a search from scratch leave the alphas as they are.
        warm: what is inherited, and how it is treated; as in a search from scratch when absent.
        objective: limits and penalties on the final network's size; none when absent.
        seed: of initial weights, augmentation and perturbation.

    Source: SmoothDARTS (Chen & Hsieh 2020, arXiv:2002.05283), algorithm 1.
    """

    rate_setting = "--weight-lr (`fit`: --model.weight_optimizer.init_args.lr)"

    def __init__(
        self,
        num_classes: int,
        space: str = "s1",
        channels: int = 16,
        num_cells: int = 8,
        in_channels: int = 3,
        stem: darts.Stem = "cifar",
        family: str = "darts",
        weight_optimizer: OptimizerCallable = DEFAULT_WEIGHT_OPTIMIZER,
        arch_optimizer: OptimizerCallable = DEFAULT_ARCH_OPTIMIZER,
        weight_scheduler: LRSchedulerCallable | None = None,
        order: Order = "first",
        perturbation: Perturbation = "random",
        max_radius: float = 0.3,
        attack_steps: int = 7,
        random_start: bool = True,
        num_micro_batches: int = 1,
        max_gradient_norm: float = 5.0,
        augmentation: Augmentation | None = None,
        first_alpha_epoch: int = 0,
        init_from: str | None = None,
        warm: WarmSchedule | None = None,
        objective: Objective | None = None,
        seed: int = 0,
    ) -> None:
        Recipe(  # refuses what cannot be
            space=space,
            family=family,
            channels=channels,
            num_cells=num_cells,
            order=order,
            perturbation=perturbation,
            max_radius=max_radius,
            attack_steps=attack_steps,
            random_start=random_start,
            num_micro_batches=num_micro_batches,
            batch_size=max(Recipe.batch_size, num_micro_batches),  # the data's is not known yet
            max_gradient_norm=max_gradient_norm,
            seed=seed,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            supernet = darts.Supernet(
                find_space(space),
                num_classes,
                channels,
                num_cells,
                in_channels,
                stem=stem,
                family=darts.FAMILIES[family],
            )
        super().__init__(supernet, num_classes, augmentation, seed)
        self.automatic_optimization = False
        self.weight_optimizer = weight_optimizer
        self.arch_optimizer = arch_optimizer
        self.weight_scheduler = weight_scheduler
        self.order = order
        self.perturbation = perturbation
        self.max_radius = max_radius
        self.attack_steps = attack_steps
        self.random_start = random_start
        self.num_micro_batches = num_micro_batches
        self.max_gradient_norm = max_gradient_norm
        self.first_alpha_epoch = first_alpha_epoch
        self.noise = torch.Generator()
        # Read by DDP, whose reduction would wait for gradients of the alphas that no backward pass of a step forms.
        self._ddp_params_and_buffers_to_ignore = [
            name
            for name, parameter in self.named_parameters()
            if any(parameter is alpha for alpha in supernet.arch_parameters())
        ]
        self.warm = WarmSchedule() if warm is None else warm
        self.inheritance = Inheritance(WarmSchedule(), supernet)
        self.objective = (objective or Objective()).of(supernet)
        if init_from is not None:
            from supernet_tl.adapters import state_from

            self.start_from(state_from(init_from, family))

    def start_from(self, source_state: Mapping[str, Tensor]) -> darts.WarmStartReport:
        """Warm-start from a source supernet's state; from then on the search follows ``warm``.

        It is called before a checkpoint is loaded, so that a resumed search knows the source's weights again.

        Raises:
            WarmStartError: the state does not fit.
        """
        report = darts.warm_start(self.supernet, source_state, parts=self.warm.parts, cells=self.warm.cells)
        self.inheritance = Inheritance(self.warm, self.supernet, report.copied)
        freeze_all_but(self.supernet, self.warm.moving)
        return report

    @property
    def supernet(self) -> darts.Supernet:
        """The supernet that is searched."""
        return cast(darts.Supernet, self.classifier)

    @property
    def schedule(self) -> WarmSchedule:
        """The warm start's schedule over this run's epochs; all off in a search from scratch."""
        return self.inheritance.schedule.within(self.num_epochs)

    @property
    def epoch_rate(self) -> float:
        """The weights' learning rate in the last step of the current epoch."""
        return super().epoch_rate * self._rate_factor(self.trainer.num_training_batches - 1)

    def origin(self) -> dict[str, Any]:
        """Also the sizes of the supernet, the objective, and the schedule of a warm start that has one of its own."""
        net = self.supernet
        sizes = ("channels", "num_cells", "num_classes", "in_channels")
        return {
            **super().origin(),
            "space": net.space.name,
            "stem": net.stem_name,
            "family": None if net.family == darts.FAMILIES["darts"] else net.family.name,
            "first_alpha_epoch": self.first_alpha_epoch or None,
            **{name: getattr(net, name) for name in sizes},
            "objective": None if self.objective.wanted.is_off else self.objective.wanted.to_dict(),
            "warm": None if self.inheritance.schedule == WarmSchedule() else self.inheritance.schedule.to_dict(),
        }

    @property
    def radius(self) -> float:
        """Radius of the perturbation in the current epoch."""
        return darts.perturbation_radius(self.current_epoch, self.num_epochs, self.max_radius)

    @property
    def holds_alphas(self) -> bool:
        """Whether the alphas stay as they are in the current epoch."""
        return self.current_epoch < self.num_held_epochs

    @property
    def num_held_epochs(self) -> int:
        """First epochs of this run in which the alphas stay as they are."""
        if not self.inheritance.is_warm:
            return self.first_alpha_epoch
        schedule = self.schedule
        return sum(schedule.holds_alphas(epoch) for epoch in range(self.num_epochs))

    @property
    def average(self) -> darts.Average | None:
        """Mean over processes, where there are several."""
        return mean_over_processes if self.trainer.world_size > 1 else None

    def on_fit_start(self) -> None:
        """Refuse what would change schedules or alpha's gradients without a word, and begin with one set of alphas."""
        if self.warm != self.inheritance.schedule:
            raise RecipeError(
                "a schedule of a warm start was given to a search that starts from no source; expected both or "
                "neither. Give --model.init_from ZOO#ENTRY too, or leave --model.warm out."
            )
        if (self.trainer.max_epochs or 0) < 1:
            raise RecipeError(
                f"trainer.max_epochs is {self.trainer.max_epochs}; expected 1 or more, because learning rate and "
                "perturbation are laid out over the epochs. Give --trainer.max_epochs N."
            )
        if self.inheritance.is_warm and self.first_alpha_epoch:
            raise RecipeError(
                f"first_alpha_epoch is {self.first_alpha_epoch} in a search that starts from a source; expected 0. "
                "Give --model.warm.held_alpha_epochs instead."
            )
        if not 0 <= self.first_alpha_epoch < (self.trainer.max_epochs or 0):
            raise RecipeError(
                f"first_alpha_epoch is {self.first_alpha_epoch}, and the search has {self.trainer.max_epochs} epochs; "
                "expected 0 or more and fewer than those, or the alphas never move."
            )
        if getattr(self.trainer.precision_plugin, "scaler", None) is not None:
            raise RecipeError(
                f"precision {self.trainer.precision!r} scales the loss, which alpha's gradients do not pass through; "
                "expected 32-true or bf16-mixed."
            )
        if self.trainer.world_size > 1:
            if not isinstance(self.trainer.strategy.model, DistributedDataParallel):
                raise RecipeError(
                    f"the search was started in {self.trainer.world_size} processes with the strategy "
                    f"{type(self.trainer.strategy).__name__}; expected DDP, which keeps the supernet whole in each. "
                    "Give --trainer.strategy ddp."
                )
            take_from_first(self.supernet.arch_parameters())

    def on_train_start(self) -> None:
        """Lay the learning rate out over this run's epochs; refuse batches that several processes would all see.

        Before the first epoch of a warm start that asks for it, estimate running statistics on the target.
        """
        if isinstance(schedule := self.lr_schedulers(), LambdaLR) and self.weight_scheduler is None:
            take_rates(schedule)
        refuse_unshared(self.trainer.train_dataloader, Shard(self.trainer.global_rank, self.trainer.world_size))
        if self.schedule.reestimate_batch_norm and self.current_epoch == 0:
            batches = in_process(cast(Mapping[str, Any], self.trainer.train_dataloader)["weight"])
            moved = (self.transfer_batch_to_device(batch, self.device, 0) for batch in batches)
            with self.trainer.precision_plugin.forward_context():
                darts.reestimate_batch_norm(
                    self.supernet, (self._unpacked(batch)[0] for batch in moved), average=self.average
                )

    def on_validation_start(self) -> None:
        """Judge one network: with the running statistics of the first process, which DDP goes on with."""
        if self.trainer.world_size > 1:
            take_from_first(self.supernet.buffers())

    def on_train_epoch_start(self) -> None:
        """Seed the epoch; the noise of the perturbation is the same in every process."""
        super().on_train_epoch_start()
        self.noise.manual_seed(epoch_seed(self.seed, self.current_epoch, "perturbation"))

    def training_step(self, batch: SearchBatch, batch_idx: int) -> None:
        """One step of bilevel search: alpha, then the weights."""
        weight_optimizer, arch_optimizer = cast(tuple[LightningOptimizer, LightningOptimizer], self.optimizers())
        arch_batch, weight_batch = self.augmented(batch["architecture"]), self.augmented(batch["weight"])
        if batch_idx == 0:
            self.objective.check_images(arch_batch[0])
        with scaled_rate(weight_optimizer.optimizer, self._rate_factor(batch_idx)):
            if self.holds_alphas:
                self._look_at_alphas(arch_batch, batch_idx)
            else:
                gradient = self._alpha_gradient(weight_batch, arch_batch, weight_optimizer.optimizer)
                require_finite_loss(self, "architecture", gradient.loss, batch_idx)
                gradient = darts.add_penalties(self.supernet, gradient, self.objective.penalties)
                darts.assign_alpha_gradient(self.supernet, gradient)
                arch_optimizer.step()
                self.log_mean("arch_loss", gradient.loss, len(arch_batch[1]))
            self._step_weights(weight_batch, weight_optimizer, batch_idx)

    def _rate_factor(self, step: float) -> float:
        return self.schedule.rate_factor(self.current_epoch, step, self.trainer.num_training_batches)

    @torch.no_grad()
    def _look_at_alphas(self, batch: darts.Batch, batch_idx: int) -> None:
        """The architecture loss of alphas that are held."""
        mixing = self.supernet.drawn_mixing_weights(self.noise)
        loss = darts.mean_loss(
            lambda images: cast(Tensor, self.supernet(images, mixing=mixing)),
            F.cross_entropy,
            batch,
            num_micro_batches=self.num_micro_batches,
        )
        require_finite_loss(self, "architecture", loss, batch_idx)
        self.log_mean("arch_loss", loss, len(batch[1]))

    def _step_weights(self, batch: darts.Batch, optimizer: LightningOptimizer, batch_idx: int) -> None:
        mixing = self._perturbed(self.supernet.drawn_mixing_weights(self.noise).detach(), batch)
        optimizer.zero_grad(set_to_none=True)
        loss, logits = self._weight_backward(batch, mixing)
        require_finite_loss(self, "weight", loss, batch_idx)
        if self.schedule.moves_head_alone(self.current_epoch):
            keep_head_alone(self.supernet)
        self.clip_gradients(optimizer.optimizer, self.max_gradient_norm, "norm")
        self.inheritance.pull(self.supernet)
        optimizer.step()
        labels = batch[1]
        self.train_accuracy(logits, labels)
        self.log_mean("train_loss", loss, len(labels))
        self.log_mean("train_accuracy", self.train_accuracy, len(labels))

    def _alpha_gradient(
        self, weight_batch: darts.Batch, arch_batch: darts.Batch, weight_optimizer: Optimizer
    ) -> darts.AlphaGradient:
        shared: dict[str, Any] = {"num_micro_batches": self.num_micro_batches, "average": self.average}
        if self.order == "first":
            mixing = self.supernet.drawn_mixing_weights(self.noise)
            return darts.first_order_gradient(self.supernet, F.cross_entropy, *arch_batch, mixing=mixing, **shared)
        return darts.unrolled_gradient(
            self.supernet, F.cross_entropy, weight_batch, arch_batch, weight_optimizer, **shared
        )

    def _perturbed(self, mixing: darts.MixingWeights, weight_batch: darts.Batch) -> darts.MixingWeights:
        if self.perturbation == "random":
            return darts.perturb_random(mixing, self.radius, self.noise)
        if self.perturbation == "adversarial":
            return darts.perturb_adversarial(
                self.supernet,
                mixing,
                *weight_batch,
                self.radius,
                self.attack_steps,
                self.random_start,
                self.noise,
                num_micro_batches=self.num_micro_batches,
                average=self.average,
            )
        return mixing

    def _weight_backward(self, batch: darts.Batch, mixing: darts.MixingWeights) -> tuple[Tensor, Tensor]:
        """Form the weights' gradients; give the loss and the logits."""
        losses, logits = [], []
        parts = list(darts.micro_batches(batch, self.num_micro_batches))
        with frozen(self.supernet.arch_parameters()):
            for number, ((images, labels), share) in enumerate(parts, start=1):
                outputs = self.supernet(images, mixing=mixing)
                loss = share * F.cross_entropy(outputs, labels)
                with nullcontext() if number == len(parts) else self._within_process():
                    self.manual_backward(loss)
                losses.append(loss.detach())
                logits.append(outputs.detach())
        return torch.stack(losses).sum(), torch.cat(logits)

    def _within_process(self) -> AbstractContextManager[None]:
        """Sum gradients up without exchanging them yet."""
        model = self.trainer.strategy.model
        return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()

    def on_train_batch_end(self, outputs: Any, batch: SearchBatch, batch_idx: int) -> None:
        """After an epoch's last step, compare the alphas of all processes.

        Not at the epoch's end: there the first process alone may have begun to reduce metrics, for its progress bar.
        """
        super().on_train_batch_end(outputs, batch, batch_idx)
        if self.trainer.world_size == 1 or not self.trainer.is_last_batch:
            return
        ranks = ranks_that_differ(self.supernet.arch_parameters())
        if ranks:
            raise ProcessesDifferError(
                f"after epoch {self.current_epoch + 1} the alphas in the processes of rank "
                f"{', '.join(map(str, ranks))} differ from those of rank 0; expected the same bits in all "
                f"{self.trainer.world_size}. Go on from the last checkpoint with --ckpt_path, on machines of one kind."
            )

    def on_train_epoch_end(self) -> None:
        """Step the weights' learning rate; alpha's is constant. Tell the size that an objective is about."""
        for unit, cost in self.objective.expected(self.supernet).items():
            self.log(f"expected_{unit}", cost, sync_dist=True)
        cast(LRScheduler, self.lr_schedulers()).step()

    def configure_optimizers(self) -> tuple[list[Optimizer], list[Any]]:
        """The two optimizers, over disjoint parameters."""
        weight_optimizer = self.weight_optimizer(self.supernet.weight_parameters())
        arch_optimizer = self.arch_optimizer(self.supernet.arch_parameters())
        self.inheritance.scale(weight_optimizer, arch_optimizer)
        scheduler = (
            self.weight_scheduler(weight_optimizer)
            if self.weight_scheduler is not None
            else cosine_over(self.num_epochs, weight_optimizer, minimum=1e-3)
        )
        return [weight_optimizer, arch_optimizer], [scheduler]

    def genotype(self) -> darts.Genotype:
        """The discrete architecture that the current alphas stand for: the best one within the objective's limits."""
        return self.objective.discretize(self.supernet)
