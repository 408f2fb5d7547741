"""From pixels in memory, or mapped into it, to the batches that networks are trained on."""
