"""What is kept of a dataset so that its images are never needed again at selection time."""
