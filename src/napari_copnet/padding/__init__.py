"""Parts of a slice that no microscope has seen: found, described by shape, and filled."""
