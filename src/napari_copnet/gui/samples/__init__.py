"""The sample that comes with the package, with its truth and what a run makes of it."""
