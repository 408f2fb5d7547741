"""Which rows of a cloud are compared: an order set by content alone, and stratified samples of it.

Because neither the order of the rows nor the names of the classes play a part, a shuffled or relabelled copy of a
cloud gives the same rows in the same order: its distance to the original is 0, with or without subsampling.
"""

from collections.abc import Sequence

import numpy as np

from ot_select.arrays import FloatArray, IntArray, check_positive_int, check_seed
from ot_select.cloud import LabelledCloud


def canonical_blocks(
    features: FloatArray, class_indices: IntArray, weights: FloatArray | None = None
) -> list[IntArray]:
    """Row numbers class by class, classes and the rows in them ordered by content.

    Args:
        features: shape (n, d), contiguous.
        class_indices: shape (n,), each of 0..k-1 at least once.
        weights: shape (n,), part of the content of a row; ``None`` where all are equal.

    Returns:
        k arrays of row numbers. Rows with equal bytes may change places, which changes no number.
    """
    if weights is not None:
        features = np.column_stack([features, weights])
    row_bytes = features.view(np.dtype((np.void, features.itemsize * features.shape[1]))).ravel()
    ranks = np.unique(row_bytes, return_inverse=True)[1].ravel()
    order = np.lexsort((ranks, class_indices))
    boundaries = np.flatnonzero(np.diff(class_indices[order])) + 1
    blocks = [block.astype(np.int64) for block in np.split(order, boundaries)]
    return sorted(blocks, key=lambda block: ranks[block].tolist())


def stratified_sample(blocks: Sequence[IntArray], num_rows: int, seed: int) -> list[IntArray]:
    """A sample without replacement that keeps the shares of the classes.

    Every class gets its share of ``num_rows`` rounded down or up, and at least one row as long as ``num_rows`` is at
    least the number of classes; below that the largest classes keep one row each. Ties are drawn.

    Args:
        blocks: row numbers class by class.
        num_rows: rows to keep; all rows are kept when there are no more than that.
        seed: of the local generator.

    Returns:
        The row numbers kept, class by class, in the order given; classes without a row are left out.
    """
    counts = np.array([len(block) for block in blocks])
    if counts.sum() <= num_rows:
        return list(blocks)
    generator = np.random.default_rng(seed)
    sizes = class_shares(counts, num_rows, generator)
    chosen = [
        block[np.sort(generator.permutation(len(block))[:size])] for block, size in zip(blocks, sizes, strict=True)
    ]
    return [block for block in chosen if len(block)]


def draw_rows(cloud: LabelledCloud, num_rows: int, seed: int) -> LabelledCloud:
    """A cloud of at most ``num_rows`` rows, drawn without replacement, that keeps the shares of the classes.

    The draw depends on the content of the cloud, the number of rows and the seed, and on nothing else: neither on the
    order of its rows nor on the names of its classes. How many rows a class gives goes by its number of rows. Rows of
    equal weight stay so, which keeps the mass of each class up to whole rows; unequal weights are scaled class by
    class, which keeps it exactly, as far as every class has a row left.

    Args:
        cloud: returned as it is when it has no more rows than that.
        num_rows: at least 1; classes are lost only where it is below their number.
        seed: of the draw.

    Raises:
        OptionError: ``num_rows`` or ``seed`` is out of range.
    """
    return sample(cloud, check_positive_int("num_rows", num_rows), check_seed(seed))[1]


def sample(cloud: LabelledCloud, num_rows: int, seed: int) -> tuple[IntArray, LabelledCloud]:
    """The rows that :func:`draw_rows` draws, and the cloud that they make."""
    if cloud.num_rows <= num_rows:
        return np.arange(cloud.num_rows), cloud
    blocks = blocks_of(cloud)
    rows = np.concatenate(stratified_sample(blocks, num_rows, seed))
    if cloud.equally_weighted:
        return rows, cloud.take(rows)
    classes, weights = cloud.class_indices[rows], cloud.weights[rows]
    everyone = np.concatenate(blocks)  # in canonical order, so that sums round alike whatever the order of rows
    mass_before = np.bincount(cloud.class_indices[everyone], cloud.weights[everyone])
    mass_drawn = np.bincount(classes, weights, minlength=cloud.num_classes)
    return rows, cloud.take(rows, weights * mass_before[classes] / mass_drawn[classes])


def blocks_of(cloud: LabelledCloud) -> list[IntArray]:
    """The canonical blocks of a cloud."""
    return canonical_blocks(cloud.features, cloud.class_indices, None if cloud.equally_weighted else cloud.weights)


def draw_seeds(seed: int, num_draws: int) -> list[int]:
    """Independent seeds for repeated draws, the first few the same however many there are.

    Args:
        seed: of the seeds.
        num_draws: at least 1.

    Raises:
        OptionError: one of them is out of range.
    """
    seed, num_draws = check_seed(seed), check_positive_int("num_draws", num_draws)
    return [int(np.random.SeedSequence([seed, draw]).generate_state(1)[0]) for draw in range(num_draws)]


def class_shares(counts: IntArray, num_rows: int, generator: np.random.Generator) -> IntArray:
    """Largest-remainder shares of ``num_rows``, then one row for every class left without, taken from the richest."""
    lots = generator.random(len(counts))
    quotas = num_rows * counts / counts.sum()
    sizes: IntArray = np.floor(quotas).astype(np.int64)
    by_remainder = np.lexsort((lots, sizes - quotas))
    sizes[by_remainder[: num_rows - sizes.sum()]] += 1
    if num_rows < len(counts):
        sizes[:] = 0
        sizes[np.lexsort((lots, -counts))[:num_rows]] = 1
        return sizes
    for poor in np.flatnonzero(sizes == 0):
        sizes[np.argmax(np.where(sizes > 1, sizes - quotas, -np.inf))] -= 1
        sizes[poor] = 1
    return sizes
