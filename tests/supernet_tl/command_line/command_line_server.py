"""Runs the command line, each time in a process of its own, forked from this one, which has imported everything.

Takes a line of JSON, ``{"arguments": [...], "log": FILE}``; answers with a line for the process' id, and at its end
with one for its exit status (negative: the signal that ended it). Importing takes far longer than a tiny run.
"""

from __future__ import annotations

import json
import os
import sys

import matplotlib  # noqa: F401
import torch.utils.tensorboard  # noqa: F401

from supernet_tl.command_line import cli, lightning_cli  # noqa: F401


def serve() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        process = os.fork()
        if not process:
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            for stream in (1, 2):
                os.dup2(log, stream)
            sys.exit(cli.main(request["arguments"]))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
