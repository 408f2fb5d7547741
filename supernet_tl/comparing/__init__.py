"""The distances between datasets as a question of their own: embeddings, pairs, results."""
