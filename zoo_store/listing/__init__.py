"""Which entries a zoo has: an index of checked cards, and filters."""
