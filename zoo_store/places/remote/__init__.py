"""Zoos on object stores, and whatever else fsspec knows."""
