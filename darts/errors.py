"""What a caller of ``darts`` can do wrong, each with its own name."""


class DartsError(ValueError):
    """Base of every error that ``darts`` raises on purpose."""


class SpaceError(DartsError):
    """A search space that contradicts itself or names an unknown primitive."""


class GenotypeError(DartsError):
    """A genotype that is no discrete architecture, or does not belong to the space at hand."""


class ShapeError(DartsError):
    """A tensor, a size or a stem that does not fit the network."""


class BatchError(DartsError):
    """A batch that cannot be cut as asked."""


class OptimizerError(DartsError):
    """An optimizer whose step the unrolled gradient cannot follow."""


class StateError(DartsError, RuntimeError):
    """A state that belongs to another supernet; a RuntimeError too, as torch raises for such states."""


class WarmStartError(DartsError):
    """A source state that does not belong to a supernet of this space, width, depth and stem."""


class LimitError(DartsError):
    """A limit that no architecture of the space keeps, or a cost that is none."""
