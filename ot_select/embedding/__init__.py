"""From images to features: pretrained networks, their weights, and features kept on disk."""
