"""Measurements beside another way of doing the same: ``python -m benchmarks NAME``.

Each ``bench_NAME.py`` times and scores one subject (closing, degrading, fine-tuning, labelling,
proofreading, the dock) and returns `figure.Figure`: a value, its goal, and whether it holds. Not
part of what is installed.
"""
