"""The folder of a run: the images that it writes, and the record from which it can be repeated."""
