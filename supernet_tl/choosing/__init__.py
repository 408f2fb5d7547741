"""Which source a transfer starts from: rankings, probes and their record."""
