"""Padding, the parts of a slice without microscope data: finding, describing and filling it."""
