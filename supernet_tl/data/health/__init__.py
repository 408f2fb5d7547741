"""What should be known of an image set before anything is trained on it."""

from supernet_tl.data.health.examine import examine
from supernet_tl.data.health.record import ClassCount, DataHealth, Finding, Severity, Sighting, Spread

__all__ = ["ClassCount", "DataHealth", "Finding", "Severity", "Sighting", "Spread", "examine"]
