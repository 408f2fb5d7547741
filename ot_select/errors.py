"""What can go wrong in ``ot_select``: one small tree, each leaf also a built-in exception."""


class OTSelectError(Exception):
    """Base of every error that this package raises on purpose."""


class OptionError(OTSelectError, ValueError):
    """An argument is outside what the function accepts."""


class CloudError(OTSelectError, ValueError):
    """Features and labels do not make a labelled cloud."""


class DimensionMismatchError(OTSelectError, ValueError):
    """Two clouds live in feature spaces of different dimension."""


class NegativeDistanceError(OTSelectError, ArithmeticError):
    """A debiased entropic value is negative and has no root."""


class SketchError(OTSelectError, ValueError):
    """A sketch is damaged, incomplete or of a newer format."""


class EmbedderMismatchError(OTSelectError, ValueError):
    """Two sketches come from different embedders, so their features cannot be compared."""


class SelectorError(OTSelectError, ValueError):
    """A selector cannot be found, or cannot choose from what it was given."""


class EmbedderError(OTSelectError, ValueError):
    """An embedder cannot be built as asked, or cannot embed what it was given."""


class WeightsError(OTSelectError, ValueError):
    """Weights were found but do not fit the network, or are not what they claim to be."""


class WeightsNotFoundError(OTSelectError, FileNotFoundError):
    """The weights of an embedding network are not on this machine and could not be fetched."""
