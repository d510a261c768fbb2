"""The folder of a run: the images that a run writes, and the record from which it can be repeated."""
