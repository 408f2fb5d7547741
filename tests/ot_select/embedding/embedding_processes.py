"""Processes that embed images and are killed, or work at once: run by the tests as a program.

They are forked from one process, so that PyTorch and timm are imported once.
"""

import argparse
import itertools
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ot_select import Embedder, EmbedderIdentity
from ot_select.embedding.cache import EmbeddingCache

NUM_IMAGES = 12
IDENTITY = EmbedderIdentity("net", "0" * 64, 32, 64)


def fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a process of its own, which ends with status 0 only if ``work`` does."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def embedder(folder: Path) -> Embedder:
    """A small network with seeded weights; batches of one image, so that numbers do not depend on the batch."""
    import timm
    from safetensors.torch import save_file

    weights = folder / "weights.safetensors"
    if not weights.exists():
        torch.manual_seed(0)
        save_file(timm.create_model("test_resnet", num_classes=0).state_dict(), weights)
    return Embedder("test_resnet", weights=weights, image_size=32, batch_size=1, cache_dir=folder / "cache")


def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (NUM_IMAGES, 3, 32, 32), dtype=torch.uint8, generator=generator)


def kill_while_embedding(folder: Path) -> dict[str, object]:
    """Kill a process in the middle of a set, and embed the set again."""
    reader, writer = os.pipe()

    def embed_slowly() -> None:
        def report(done: int, total: int) -> None:
            os.write(writer, bytes([done]))
            time.sleep(0.25)

        embedder(folder).embed(images(), report)

    child = fork(embed_slowly)
    while (done := os.read(reader, 1)[0]) < NUM_IMAGES - 3:
        pass
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    calls: list[int] = []
    found = embedder(folder).embed(images(), lambda now, total: calls.append(now))
    return {"killed": os.WIFSIGNALED(status), "done": done, "calls": calls, "same": _is_right(found, folder)}


def embed_together(folder: Path) -> dict[str, object]:
    """Several processes embed sets that overlap, at once."""
    orders = [range(NUM_IMAGES), reversed(range(NUM_IMAGES)), range(NUM_IMAGES // 2)]

    def embed(order: list[int]) -> None:
        found = embedder(folder).embed(images()[order])
        if not _is_right(found, folder, order):
            raise RuntimeError("other features than alone")

    embedder(folder)  # writes the weights once
    children = [fork(lambda order=list(order): embed(order)) for order in orders]  # type: ignore[misc]
    statuses = [os.waitpid(child, 0)[1] for child in children]
    calls: list[int] = []
    found = embedder(folder).embed(images(), lambda now, total: calls.append(now))
    return {"statuses": statuses, "calls": calls, "same": _is_right(found, folder)}


def _is_right(found: torch.Tensor, folder: Path, rows: list[int] | None = None) -> bool:
    """Whether the features are those that an embedder without anything kept computes."""
    alone = folder / f"alone {os.getpid()}"
    alone.mkdir(exist_ok=True)
    expected = embedder(alone).embed(images() if rows is None else images()[rows])
    return torch.equal(found, expected)


def kill_while_writing(folder: Path, num_kills: int = 12) -> dict[str, object]:
    """Kill writers at random moments; every row that a writer reported is there afterwards."""
    moments = random.Random(0)
    reported: list[bytes] = []
    for round_number in range(num_kills):
        reader, writer = os.pipe()

        def write_for_ever(round_number: int = round_number, writer: int = writer) -> None:
            cache = EmbeddingCache(folder / "rows", IDENTITY)
            for number in itertools.count():
                keys = [bytes([round_number]) + (20 * number + row).to_bytes(31, "big") for row in range(20)]
                cache.add(keys, torch.full((20, 64), float(number)))
                cache.flush()
                os.write(writer, keys[-1])

        child = fork(write_for_ever)
        reported.append(os.read(reader, 32))  # it has got going
        time.sleep(moments.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(writer)
        while last := os.read(reader, 32):
            reported.append(last)
        os.close(reader)
    found = EmbeddingCache(folder / "rows", IDENTITY).find(reported)
    return {"reported": len(reported), "lost": len(set(reported) - set(found))}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    torch.set_num_threads(1)  # threads do not survive a fork
    modes: dict[str, Callable[[Path], dict[str, object]]] = {
        "killed": kill_while_embedding,
        "together": embed_together,
        "writing": kill_while_writing,
    }
    outcomes = {}
    for name, work in modes.items():
        (folder / name).mkdir()
        outcomes[name] = work(folder / name)
    os.write(1, json.dumps(outcomes).encode())


if __name__ == "__main__":
    main()
