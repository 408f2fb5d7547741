"""The parsers of all verbs but Lightning's; nothing heavy is imported for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from importlib import metadata
from types import MappingProxyType
from typing import Any

from supernet_tl.command_line.data_parser import SOURCE, add_data_actions
from supernet_tl.command_line.evaluation_parser import LayeredRecipes, evaluation_parser
from supernet_tl.command_line.parser import Parser
from supernet_tl.command_line.recipe_parser import add_recipe_actions
from supernet_tl.command_line.settings import ALL, HEEDED, add_settings
from supernet_tl.command_line.zoo_parser import ZOO, add_zoo_actions
from supernet_tl.recipe import ADOPTED, PRETRAIN_DEFAULTS, Recipe

LIGHTNING_VERBS = {
    "fit": "a plain Lightning run of the search, from recipes (LightningCLI)",
    "validate": "evaluate a checkpoint of such a run on the validation split",
    "test": "evaluate a checkpoint of such a run on the test split",
}
_EMBEDDING = {
    field.name: field.default for field in fields(Recipe) if field.name in ("embedder", "embed_size", "embed_precision")
}
_THE_ZOOS_OWN = {
    **dict.fromkeys(_EMBEDDING, "the zoo's own"),
    **dict.fromkeys(ADOPTED, "the chosen entry's"),
}


def build_parser() -> Parser:
    """The parser of all verbs but Lightning's."""
    parser = Parser(
        prog="supernet-tl",
        version=metadata.version("supernet-tl"),
        description="Supernet transfer learning: pick the pretrained supernet whose source data lies nearest, search "
        "on from its weights and architecture, keep a small trained network.",
        epilog="To begin with, on a folder that holds a folder of images for each class: "
        "supernet-tl transfer --target my_images/ --zoo starter --output run/. Plain Lightning runs: "
        + "; ".join(f"`supernet-tl {verb}`: {text}" for verb, text in LIGHTNING_VERBS.items())
        + ". Each has its own --help. An error is told in a sentence; with --debug, anywhere, also where it arose.",
    )
    verbs = parser.add_subcommands(dest="verb", metavar="VERB")
    verbs.add_subcommand(
        "pretrain", _pretrain_parser(), help="search supernets on source datasets and keep them in a zoo"
    )
    verbs.add_subcommand("distance", _distance_parser(), help="measure distances between datasets, and picture them")
    verbs.add_subcommand("embed", _embed_parser(), help="write the features of an image set to a file")
    verbs.add_subcommand("select", _select_parser(), help="rank a zoo's sources by their distance to a target")
    verbs.add_subcommand("transfer", _transfer_parser(), help="the whole way from a target's images to a small network")
    verbs.add_subcommand("search", _search_parser(), help="the same from scratch: the baseline")
    verbs.add_subcommand("predict", _predict_parser(), help="classify images with the network of a run")
    verbs.add_subcommand(
        "export",
        _export_parser(),
        help="take the network of a run elsewhere: ONNX, torch.export, weights",
    )
    verbs.add_subcommand("report", _report_parser(), help="write the report of a run again, compared with others")
    verbs.add_subcommand(
        "leave-one-out", _evaluation_parser(), help="the paper's evaluation: every dataset is the target once"
    )
    verbs.add_subcommand("doctor", _doctor_parser(), help="what this machine and this installation can do")
    recipe = Parser(description="The recipes that come with the package, and your own.")
    verbs.add_subcommand("recipe", recipe, help="recipes for --config: list, show, copy, validate")
    add_recipe_actions(recipe)  # a second level is added after the first is in place
    zoo = Parser(description="Look after a zoo of pretrained supernets.")
    verbs.add_subcommand("zoo", zoo, help="look after a zoo: list, show, verify, copy, push, pull, …")
    add_zoo_actions(zoo)
    data = Parser(description="Look after datasets: Meta-Album from OpenML, and what is known of any image set.")
    verbs.add_subcommand("data", data, help="look after datasets: list, get, verify, health, …")
    add_data_actions(data)
    return parser


def _pretrain_parser() -> Parser:
    parser = _verb(
        "pretrain --source SRC --zoo ZOO",
        "Search a supernet on each source from random weights (algorithm 1) and keep it in a zoo. A recipe that "
        "transfers share may be given: what is about choosing, warm starts and training final networks is not heeded.",
        "pretrain --source birds/ --source plankton/ --zoo zoo/",
    )
    parser.add_argument(
        "--source",
        action="append",
        type=str,
        required=True,
        metavar="SRC",
        help=f"{SOURCE}; repeatable",
    )
    parser.add_argument("--zoo", type=str, required=True, metavar="ZOO", help=f"made when missing: {ZOO}")
    parser.add_argument("--mixture", action="store_true", help="one supernet for all sources together (algorithm 3)")
    parser.add_argument("--output", type=str, metavar="DIR", help="folder of the runs (default: ZOO/.runs)")
    parser.add_argument("--tag", action="append", type=str, metavar="TAG", help="to find the entries by; repeatable")
    own = {name: f"the zoo's own, else {default}" for name, default in _EMBEDDING.items()}
    _add_training(parser)
    return _with_settings(parser, told=HEEDED["pretrain"], other_defaults={**PRETRAIN_DEFAULTS, **own})


def _distance_parser() -> Parser:
    parser = _verb(
        "distance [DATASET ...]",
        "Measure the distance between two datasets, with how their classes lie to each other, or between all pairs of "
        "several, with a heat map. Each pair is compared at equal rows. Test images count as any others.",
        "distance birds/ plankton/ my_images/ --output distances/",
    )
    parser.add_argument(
        "datasets",
        type=str,
        nargs="*",
        metavar="DATASET",
        help=f"{SOURCE}, a file that `embed` wrote, or with --zoo an entry's alias, name or id",
    )
    parser.add_argument(
        "--zoo",
        type=str,
        metavar="ZOO",
        help=f"{ZOO}; without any DATASET all its entries are compared",
    )
    parser.add_argument(
        "--distance",
        type=str,
        default="otdd",
        metavar="NAME",
        help="otdd (exact), otdd-paper (debiased entropic), otdd-diagonal, otdd-means, otdd-exact (other distances "
        "between classes), or bures (labels set aside) (default: otdd)",
    )
    parser.add_argument("--rows", type=int, default=1000, help="rows of each dataset in a comparison (default: 1000)")
    parser.add_argument("--draws", type=int, default=3, help="draws of rows that are averaged (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="of the rows that are drawn (default: 0)")
    parser.add_argument("--output", type=str, metavar="DIR", help="folder for the numbers and a page of pictures")
    parser.add_argument("--overwrite", action="store_true", help="replace distances that DIR holds")
    return _with_settings(
        parser,
        _EMBEDDING,
        other_defaults={
            name: f"that of embedding files and zoo entries, else {default}" for name, default in _EMBEDDING.items()
        },
    )


def _embed_parser() -> Parser:
    parser = _verb(
        "embed SRC --output FILE",
        "Embed the images of a set and write the features, float32, with labels, class names and paths.",
        "embed my_images/ --output my_images.safetensors",
    )
    parser.add_argument("source", type=str, metavar="SRC", help=SOURCE)
    parser.add_argument("--output", type=str, required=True, metavar="FILE", help="a name ending in .safetensors")
    parser.add_argument("--overwrite", action="store_true", help="replace FILE")
    parser.add_argument(
        "--part",
        type=str,
        default="all",
        metavar="PART",
        help="all images, or a split of them: search, validation or test (default: all)",
    )
    return _with_settings(parser, (*_EMBEDDING, "seed", "test_frac", "validation_frac"))


def _select_parser() -> Parser:
    parser = _verb(
        "select --target TGT --zoo ZOO",
        "Rank a zoo's sources by their optimal transport dataset distance to a target, nearest first, and say which a "
        "transfer would start from. Nothing is trained. That transfer's recipe may be given: what does not bear on "
        "the choice is not heeded.",
        "select --target my_images/ --zoo starter",
    )
    _add_target(parser)
    _add_zoo(parser)
    return _with_settings(parser, told=HEEDED["select"], other_defaults=_THE_ZOOS_OWN)


def _transfer_parser() -> Parser:
    parser = _verb(
        "transfer --target TGT --zoo ZOO --output DIR",
        "Take the nearest supernet of a zoo, search on from its weights and alphas, discretize, fine-tune "
        "(algorithm 2; algorithm 3 with --select mixture). With --select probe it may find scratch to be better.",
        "transfer --target my_images/ --zoo starter --output run/",
    )
    _add_target(parser)
    _add_zoo(parser)
    _add_output(parser)
    _add_training(parser)
    parser.add_argument(
        "--with-scratch", action="store_true", help="also search from scratch, in DIR/scratch, to compare with"
    )
    parser.add_argument(
        "--sweep",
        type=int,
        metavar="N",
        help="also train N smaller networks of the same search, each the best one within a limit, in DIR/sweep, and "
        "draw accuracy against size",
    )
    parser.add_argument(
        "--sweep-unit",
        type=str,
        metavar="UNIT",
        help="of the limits of --sweep: params or macs (default: params)",
    )
    return _with_settings(parser, told=HEEDED["transfer"], other_defaults=_THE_ZOOS_OWN)


def _search_parser() -> Parser:
    parser = _verb(
        "search --target TGT --output DIR",
        "Search from scratch, discretize, fine-tune: the baseline of a transfer. That transfer's recipe may be given: "
        "choosing a source and warm starts are not for it.",
        "search --target my_images/ --output scratch/",
    )
    _add_target(parser)
    _add_output(parser)
    _add_training(parser)
    return _with_settings(parser, told=HEEDED["search"])


def _predict_parser() -> Parser:
    parser = _verb(
        "predict --network DIR --images DIR",
        "Classify images with the network of a run.",
        "predict --network run/network --images new_images/",
    )
    parser.add_argument("--network", type=str, required=True, metavar="DIR", help="the folder network/ of a run")
    parser.add_argument("--images", type=str, required=True, metavar="DIR", help="images, at any depth")
    parser.add_argument("--output", type=str, metavar="FILE", help="also write the predictions as CSV")
    return _with_behaviour(parser)


def _export_parser() -> Parser:
    parser = _verb(
        "export RUN",
        "Export the network of a run, preprocessing and class names inside, for any number of images; with a script "
        "that classifies image files and a model card. Nothing of this project is needed to use it.",
        "export run/ --format onnx",
    )
    parser.add_argument("run", type=str, metavar="RUN", help="folder of a finished run, or its folder network/")
    parser.add_argument(
        "--format",
        type=str,
        default="torch",
        metavar="FORMAT",
        help="torch (torch.export), onnx, or state_dict (safetensors with a plain PyTorch module) (default: torch)",
    )
    parser.add_argument("--output", type=str, metavar="DIR", help="a new folder (default: RUN/export/FORMAT)")
    parser.add_argument("--overwrite", action="store_true", help="replace an export that DIR holds")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _doctor_parser() -> Parser:
    parser = Parser(
        description="Look at packages, devices, weights, caches, and which recipes for kinds of machines fit this one. "
        "Nothing is downloaded. The exit status is 1 where something is wrong."
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    return parser


def _report_parser() -> Parser:
    parser = _verb(
        "report RUN",
        "Write RUN/report.html again, with other runs on the same target beside it.",
        "report run/ --compare scratch/",
    )
    parser.add_argument("run", type=str, metavar="RUN", help="folder of a finished transfer or search")
    parser.add_argument(
        "--compare",
        action="append",
        type=str,
        metavar="RUN",
        default=[],
        help="another run, such as a search; repeatable",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    return parser


def _evaluation_parser() -> Parser:
    parser = _verb(
        "leave-one-out --config CONFIG --output DIR",
        "Leave-one-out: every dataset is the target once and all others are its sources. Scratch, the chosen source, "
        "the mixture of all, every single source and baselines are run, and the paper's tables and figures made of "
        "them. It is a list of independent jobs: repeat the command to go on, here or on a Ray cluster.",
        "leave-one-out --config leave_one_out/pocket --output loo/",
        config=LayeredRecipes,
    )
    return evaluation_parser(_with_behaviour(parser))


def _verb(call: str, description: str, example: str, config: Any = "config") -> Parser:
    """The parser of a verb.

    Args:
        call: the verb and what it cannot do without.
        description: what it does.
        example: a call that people may type.
        config: what becomes of ``--config``.
    """
    usage = f"supernet-tl {call} [options]"
    parser = Parser(usage=usage, description=description, epilog=f"Example: supernet-tl {example}")
    parser.add_argument(
        "--config",
        action=config,
        help="YAML file with settings, or a recipe's name (`supernet-tl recipe list`); repeatable, later ones win",
    )
    return parser


def _add_target(parser: Parser) -> None:
    parser.add_argument("--target", type=str, required=True, metavar="TGT", help=SOURCE)


def _add_zoo(parser: Parser) -> None:
    parser.add_argument(
        "--zoo",
        type=str,
        required=True,
        metavar="ZOO",
        help=f"{ZOO} (a folder of that name is ./starter)",
    )
    parser.add_argument(
        "--select",
        type=str,
        default="nearest",
        metavar="HOW",
        help="nearest; probe (search shortly from the nearest few and from scratch, take the best); mixture; random, "
        "largest, same-classes, fixed-best (baselines); a selector of another package; or an entry's alias, id or name "
        "(default: nearest)",
    )


def _add_output(parser: Parser) -> None:
    parser.add_argument("--output", type=str, required=True, metavar="DIR", help="folder of the run")
    parser.add_argument("--overwrite", action="store_true", help="replace a run that DIR holds")


def _add_training(parser: Parser) -> None:
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done and about how long it takes; do nothing"
    )
    parser.add_argument(
        "--no-health", action="store_true", help="do not look for copies, wrong labels and the like before training"
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes that make batches (default: none, unless a GPU trains on more images than fit into memory)",
    )


def _with_behaviour(parser: Parser) -> Parser:
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda, cuda:N or mps (default: auto)")
    parser.add_argument("--skip-corrupt", action="store_true", help="leave unreadable images out, and count them")
    parser.add_argument("--offline", action="store_true", help="ask no network, as SUPERNET_TL_OFFLINE=1 does")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--quiet", action="store_true", help="no progress on the terminal")
    return parser


def _with_settings(
    parser: Parser,
    taken: Collection[str] = ALL,
    told: Collection[str] = ALL,
    other_defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Parser:
    parser.add_argument(
        "--drop-small-classes", action="store_true", help="leave classes with fewer than four images out"
    )
    _with_behaviour(parser)
    add_settings(parser, taken, told, other_defaults)
    return parser
