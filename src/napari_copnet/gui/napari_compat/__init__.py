"""What works around napari's private parts, each with the version it was needed in."""
