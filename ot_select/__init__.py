"""Datasets as labelled clouds: embedding, optimal-transport distances, ranking."""
