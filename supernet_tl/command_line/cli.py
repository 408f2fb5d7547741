"""The command line. It starts at once: what is heavy is imported by the verb that needs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from supernet_tl.command_line import data_parser, recipe_parser, zoo_parser
from supernet_tl.command_line.parser import positionals_first
from supernet_tl.command_line.verb_parsers import LIGHTNING_VERBS, build_parser
from supernet_tl.conflicts import refuse_conflicting_packages
from supernet_tl.shipped_recipes import with_recipes_found
from supernet_tl.terminal.console import show_notices
from supernet_tl.terminal.output import harmless
from zoo_store.environment import OFFLINE_SWITCH

_INTERRUPTED = 130
_FLAGS = {"zoo": zoo_parser.FLAGS, "data": data_parser.FLAGS, "recipe": recipe_parser.FLAGS}
"""Of the verbs that have actions: switches that take no value."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 for an error that is explained, 2 for a wrong call."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or bool(os.environ.get("SUPERNET_TL_TRACEBACK"))
    given = [argument for argument in given if argument != "--debug"]
    try:
        refuse_conflicting_packages()
        given = with_recipes_found(given)
        if given and given[0] in LIGHTNING_VERBS:
            from supernet_tl.command_line import lightning_cli

            lightning_cli.main(given)
            return 0
        parser = build_parser()
        if given and given[0] in _FLAGS:
            given = [given[0], *positionals_first(given[1:], _FLAGS[given[0]])]
        config = parser.parse_args(given)
        options = _options(config)
        show_notices(quiet=bool(options.get("quiet")))
        if options.get("offline"):
            os.environ[OFFLINE_SWITCH] = "1"  # for all that this process does
        if config.verb == "zoo":  # needs nothing of what the others load
            from supernet_tl.command_line import zoo_verbs

            zoo_verbs.run(config.zoo)
        elif config.verb == "data":
            from supernet_tl.command_line import data_verbs

            data_verbs.run(config.data)
        elif config.verb == "recipe":
            from supernet_tl.command_line import recipe_verbs

            recipe_verbs.run(config.recipe)
        elif config.verb == "leave-one-out":
            from supernet_tl.command_line import evaluation_verb

            evaluation_verb.run(config[config.verb])
        else:
            _check_zoo(config)
            _check_output(config)
            from supernet_tl.command_line import verbs

            verbs.run(config)
    except KeyboardInterrupt:
        print("interrupted; nothing is lost. Repeat the same command to continue.", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug or not _is_explained(error):
            raise
        print("error: " + "\n".join(map(harmless, _sentence(error).split("\n"))), file=sys.stderr)
        return 1
    return 0


def _options(config: Namespace) -> Namespace:
    """What was given to the verb, or to its action."""
    options: Namespace = config[config.verb]
    return options[options.action] if "action" in options else options


def _check_zoo(config: Namespace) -> None:
    """Find out about a zoo that cannot be used before everything that trains is imported, which takes long."""
    address = config[config.verb].get("zoo")
    if address is None:
        return
    from supernet_tl.zoos import check_zoo

    check_zoo(address, to_pretrain=config.verb == "pretrain", has_output=config[config.verb].get("output") is not None)


def _check_output(config: Namespace) -> None:
    """Find out about a folder that holds a finished run before the imports, likewise."""
    if config.verb in ("transfer", "search") and not config[config.verb].dry_run:
        from supernet_tl.run_folder import refuse_finished

        options = config[config.verb]
        refuse_finished(Path(options.output), overwrite=bool(options.overwrite))


def _is_explained(error: Exception) -> bool:
    """Whether the error is one that a package of this project, or the operating system, raised with a sentence."""
    ours = type(error).__module__.partition(".")[0] in ("supernet_tl", "darts", "ot_select", "zoo_store")
    return ours or isinstance(error, OSError)


def _sentence(error: Exception) -> str:
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    if isinstance(error, OSError) and error.strerror and type(error).__module__ == "builtins":
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}. What was finished is kept; repeat the command to continue."
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
