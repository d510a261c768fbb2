"""Measurements beside another way of doing the same: ``python -m benchmarks NAME``."""
