"""Differentiable architecture search in plain PyTorch: spaces, supernets, bilevel search, discretization."""
