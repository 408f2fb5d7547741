"""Which image belongs to which part of a run."""
