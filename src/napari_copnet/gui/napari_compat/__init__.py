"""What works around napari's private parts, each with the version it was needed in.

Nothing else touches names of napari that begin with an underscore. A module here can go when the
oldest napari that is supported no longer needs it.
"""
