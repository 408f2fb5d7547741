"""Lightning modules and what surrounds them: stages, seeds, scores, checkpoints, stopping."""
