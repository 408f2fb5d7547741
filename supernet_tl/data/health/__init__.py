"""What should be known of an image set before anything is trained on it."""
