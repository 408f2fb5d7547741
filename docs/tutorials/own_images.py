"""Your own images in ten minutes: from a folder to a small network that runs anywhere.

    python docs/tutorials/own_images.py my_images/ run/

The folder holds a folder of images for each class. The starter zoo, which comes with the package, has eight small
supernets; the one whose images lie nearest to yours is where the search begins.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import supernet_tl


def main(images: str, output: str, **settings: Any) -> Path:
    """Choose a source, transfer, export; returns the folder of the export."""
    # 1. Which source lies nearest? Nothing is trained for it: each entry carries a sketch of its source.
    choice = supernet_tl.select(images, "starter")
    print(choice)

    # 2. Search on from its weights and its architecture, keep one small network, fine-tune it.
    #    A stopped run goes on when this is repeated. run/report.html shows everything.
    result = supernet_tl.transfer(images, "starter", output=output, **{"epochs": 15, "finetune_epochs": 20, **settings})
    metrics = result.metrics
    print(
        f"test accuracy {metrics['network_test_accuracy']:.3f} with {metrics['network_num_parameters']:,.0f} parameters"
    )

    # 3. Take it elsewhere: this folder needs nothing of this project.
    exported = supernet_tl.export(output, format="torch")
    print(f"try it: python {exported.folder / 'predict.py'} IMAGE")
    return exported.folder


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
