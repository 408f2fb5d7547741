"""What a caller of ``supernet_tl`` can do wrong, each with its own name."""


class SupernetTLError(ValueError):
    """Base of every error that ``supernet_tl`` raises on purpose."""


class RecipeError(SupernetTLError):
    """A setting that is unknown, of the wrong kind or out of range."""


class RunFolderError(SupernetTLError):
    """A run folder that is in use, or holds something else than what is to be continued."""


class CheckpointError(SupernetTLError):
    """A checkpoint that is missing, damaged, or belongs to another run than the one that is to go on with it."""


class SelectionError(SupernetTLError):
    """A zoo from which no source can be taken for this target."""


class StarterZooError(SupernetTLError):
    """An attempt to write into the zoo that the package ships."""


class ProblemsFoundError(SupernetTLError):
    """A zoo, or datasets kept here, that do not verify."""


class ComparisonError(SupernetTLError):
    """Datasets that cannot be compared as asked."""


class EvaluationError(SupernetTLError):
    """An evaluation that cannot be made as asked: its recipe, its output, its zoo, or an outcome of its jobs."""


class EmbeddingFileError(SupernetTLError):
    """A file that is no embedding, a damaged one, or one that would be overwritten."""


class DivergedError(SupernetTLError):
    """Training ended with numbers that are not finite."""


class ProcessesDifferError(SupernetTLError):
    """Processes that search one supernet hold different alphas."""


class NetworkFileError(SupernetTLError):
    """A folder that is no saved network, or one that was altered."""


class ExportError(SupernetTLError):
    """A network that cannot be exported as asked, or a place that an export may not be written to."""


class TooLargeError(SupernetTLError):
    """What would be trained does not fit the device's memory."""


class ConflictingPackageError(ImportError):
    """Another distribution puts modules where this project's packages live."""


class BaselineError(SupernetTLError):
    """A baseline that cannot be made as asked."""
