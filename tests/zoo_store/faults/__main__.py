"""``python -m tests.zoo_store.faults``: a zoo under many writers and readers, writers killed, the disk full."""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.zoo_store.faults.full_disk import fill
from tests.zoo_store.faults.storm import storm


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=200)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        outcome = storm(Path(folder), seconds=options.seconds, num_kills=options.kills)
        print(outcome, flush=True)
        print(fill(Path(folder) / "disk"))
    for fault in outcome.faults[:20]:
        print(fault, file=sys.stderr)
    sys.exit(bool(outcome.faults))


if __name__ == "__main__":
    main()
