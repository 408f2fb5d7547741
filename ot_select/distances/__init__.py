"""Distances between labelled clouds, and the solvers behind them."""
