"""Where ``supernet-tl`` starts: Ctrl-C gets a sentence also while the command line itself is being imported."""

import sys


def main() -> int:
    """Run the command line and return its exit status; see :func:`supernet_tl.command_line.cli.main`."""
    try:
        from supernet_tl.command_line.cli import main as run

        return run()
    except KeyboardInterrupt:
        print("interrupted; nothing had begun.", file=sys.stderr)
        return 130
