"""Baselines of the closing network on the same input, each tuned on training slices only."""
