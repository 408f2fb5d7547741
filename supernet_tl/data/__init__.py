"""Labelled image sets: where they come from, how they are split, how batches are made of them."""

from supernet_tl.data.album.fetching import Fetching
from supernet_tl.data.batches.augment import Augmentation
from supernet_tl.data.batches.image_batch import Batch, ImageBatch, augmented
from supernet_tl.data.batches.image_tensors import ImageTensors
from supernet_tl.data.batches.loaders import batch_loader, identity, loader
from supernet_tl.data.batches.loading import Loading
from supernet_tl.data.batches.normalisation import Normalisation
from supernet_tl.data.batches.samplers import BalancedSampler, EpochSampler, ShuffledSampler
from supernet_tl.data.batches.sharding import WHOLE, EvaluationBatches, Shard, ShardedSampler
from supernet_tl.data.card import DataCard
from supernet_tl.data.checks import MIN_IMAGES_PER_CLASS, check_classes, check_images
from supernet_tl.data.decoded.pixel_cache import clear_pixels, pixel_rows, read_pixels
from supernet_tl.data.decoded.pixel_rows import PixelRows
from supernet_tl.data.errors import (
    BatchError,
    CorruptImagesError,
    DataError,
    DecodeError,
    DownloadError,
    EmptySourceError,
    ImageProblem,
    LayoutError,
    MissingFilesError,
    MissingPackageError,
    OfflineError,
    SmallClassesError,
    SourceNotFoundError,
    SplitError,
    TooFewClassesError,
)
from supernet_tl.data.image_set import ImageSet, Progress
from supernet_tl.data.pixels.grey import to_grey
from supernet_tl.data.pixels.stores import ArrayStore, FileStore, ImageStore
from supernet_tl.data.resolve import open_image_set
from supernet_tl.data.sources.pocket import POCKET_NAMES, open_pocket
from supernet_tl.data.splitting.splits import Splits, make_splits
from supernet_tl.data.splitting.stored import StoredSplits

__all__ = [
    "MIN_IMAGES_PER_CLASS",
    "POCKET_NAMES",
    "WHOLE",
    "ArrayStore",
    "Augmentation",
    "BalancedSampler",
    "Batch",
    "BatchError",
    "CorruptImagesError",
    "DataCard",
    "DataError",
    "DecodeError",
    "DownloadError",
    "EmptySourceError",
    "EpochSampler",
    "EvaluationBatches",
    "Fetching",
    "FileStore",
    "ImageBatch",
    "ImageProblem",
    "ImageSet",
    "ImageStore",
    "ImageTensors",
    "LayoutError",
    "Loading",
    "MissingFilesError",
    "MissingPackageError",
    "Normalisation",
    "OfflineError",
    "PixelRows",
    "Progress",
    "Shard",
    "ShardedSampler",
    "ShuffledSampler",
    "SmallClassesError",
    "SourceNotFoundError",
    "SplitError",
    "Splits",
    "StoredSplits",
    "TooFewClassesError",
    "augmented",
    "batch_loader",
    "check_classes",
    "check_images",
    "clear_pixels",
    "identity",
    "loader",
    "make_splits",
    "open_image_set",
    "open_pocket",
    "pixel_rows",
    "read_pixels",
    "to_grey",
]
