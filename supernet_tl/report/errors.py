"""What can be wrong with the runs that a report is asked of."""

from supernet_tl.errors import SupernetTLError


class ReportError(SupernetTLError):
    """A run folder that is unfinished, damaged, or of another target than the one it is compared with."""
