"""The switches of ``leave-one-out``; nothing heavy is imported for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

# Lightning takes it from here too.
from jsonargparse import ActionConfigFile, Namespace  # type: ignore[attr-defined]

from supernet_tl.command_line.parser import Parser
from supernet_tl.evaluating.recipe import EvaluationRecipe

FIELDS = tuple(one.name for one in fields(EvaluationRecipe))
"""What a recipe file may hold, beside the switches: the fields of the evaluation's recipe."""

_LISTS = {
    "datasets": "image sets, each the target once and a source of all others",
    "targets": "those that are targets (default: all)",
    "select": "selectors to compare; the first chooses for the arms that start from one source (default: nearest)",
    "arms": "what is run beside scratch and the chosen source (default: scratch_twice, sources, mixture, weights_only, "
    "timm_parameters, timm_time; also architecture_only)",
}
_SETTINGS = {
    "shared": "settings of all runs and pretrainings",
    "pretraining": "settings of pretraining",
    "mixture": "settings of pretraining a mixture",
    "target": "settings of every run on a target",
    "transfer": "settings of warm starts",
    "per_source": "settings of single sources, by dataset",
    "per_target": "settings of single targets, by dataset",
    "schedules": "further settings of warm starts, by name, to compare",
    "baseline": "of the timm arms: model, image_size, lr, head_lr_factor",
}


class LayeredRecipes(ActionConfigFile):
    """``--config`` of recipes whose settings are laid over those of the files before, setting by setting."""

    def __call__(self, parser: Any, cfg: Any, values: Any, option_string: str | None = None) -> None:
        """Read one more file."""
        before = {name: _plain(cfg.get(name)) for name in _SETTINGS}
        super().__call__(parser, cfg, values, option_string)  # type: ignore[no-untyped-call]
        for name, earlier in before.items():
            cfg[name] = _laid_over(earlier, _plain(cfg.get(name)))


def evaluation_parser(parser: Parser) -> Parser:
    """Add the switches to a verb's parser, which has ``--config`` already."""
    parser.add_argument("--output", type=str, metavar="DIR", help="folder or URL of the evaluation (not for --dry-run)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan and what it will cost; do nothing")
    parser.add_argument(
        "--report-only",
        action="store_true",
        help="write tables and page of the jobs that are finished; do nothing else",
    )
    work = parser.add_argument_group("who does the jobs")
    work.add_argument("--executor", type=str, default="local", help="local or ray (default: local)")
    work.add_argument(
        "--num-workers",
        type=int | None,
        metavar="N",
        help="jobs at a time; 0: in this process (default: one for each GPU, or for each CPU core up to eight; on Ray "
        "as many as fit)",
    )
    work.add_argument("--retries", type=int, default=1, help="of a job that failed (default: 1)")
    work.add_argument("--cpus-per-job", type=float, default=1.0, help="of a Ray cluster (default: 1)")
    work.add_argument(
        "--gpus-per-job", type=float, default=0.0, help="of a Ray cluster; may be a fraction (default: 0)"
    )
    work.add_argument("--ray-address", type=str, metavar="ADDRESS", help="auto, ray://HOST:PORT (default: a local Ray)")
    work.add_argument(
        "--work",
        type=str,
        metavar="DIR",
        help="local folder for running jobs (default: OUTPUT/work, with a URL the temporary folder of each node)",
    )
    work.add_argument("--zoo", type=str, metavar="ZOO", help="of pretrained sources (default: OUTPUT/zoo)")
    work.add_argument(
        "--pretrain-missing", action="store_true", help="make entries anew that finished jobs name and ZOO lacks"
    )
    recipe = parser.add_argument_group("recipe, usually in files given with --config")
    for name, text in _LISTS.items():
        recipe.add_argument(f"--{name.replace('_', '-')}", type=list[str] | None, metavar="LIST", help=text)
    recipe.add_argument("--seeds", type=list[int] | None, metavar="LIST", help="of the targets (default: [0, 1, 2])")
    for name, text in _SETTINGS.items():
        recipe.add_argument(f"--{name.replace('_', '-')}", type=dict[str, Any] | None, metavar="SETTINGS", help=text)
    recipe.add_argument(
        "--pretraining-seed",
        type=int | None,
        default=0,
        metavar="N",
        help="of every pretraining; null: each run starts from supernets of its own seed (default: 0)",
    )
    recipe.add_argument("--measure", type=str | None, metavar="PART", help="test or validation (default: test)")
    return parser


def evaluation_fields(config: Namespace) -> dict[str, Any]:
    """The fields of the evaluation's recipe that switches and files gave, as plain values."""
    given = {name: _plain(config[name]) for name in FIELDS}
    return {name: value for name, value in given.items() if value is not None or name == "pretraining_seed"}


def _laid_over(earlier: Any, later: Any) -> Any:
    """The later of two values, with what only the earlier one holds where both are mappings; at every depth."""
    if not (isinstance(earlier, Mapping) and isinstance(later, Mapping)):
        return later
    shared = {key: _laid_over(earlier[key], value) for key, value in later.items() if key in earlier}
    return {**earlier, **later, **shared}


def _plain(value: Any) -> Any:
    """Plain values, whatever the parser made of nested ones."""
    if isinstance(value, Namespace):
        return {key: _plain(one) for key, one in vars(value).items()}
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return value
