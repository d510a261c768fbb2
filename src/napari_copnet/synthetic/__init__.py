"""Synthetic tissue with exact ground truth: the bundled sample, and unlimited training data.

Cells are packed in space, cut into slices, and drawn as a microscope would see them, with membranes
that fade, noise, drift and a vessel. Contours and cells are known exactly, so scores need no
annotator. The same settings and seed give the same tissue.
"""

from typing import Any

_PUBLIC = ("Tissue", "generate_tissue", "make_tissue", "random_tissue_params", "sample_stack")
__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    # Lazily, so that listing samples does not load scipy and numba.
    if name in _PUBLIC:
        from napari_copnet.synthetic import tissue

        return getattr(tissue, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
