"""File > Open Sample."""

from __future__ import annotations

from typing import Any

_jobs: set[Any] = set()


def synthetic_tissue() -> list[tuple[Any, dict[str, Any], str]]:
    """Return the sample that comes with the package: image, true contour and true cells."""
    from napari_copnet.gui.readers import image_tuple, labels_tuple
    from napari_copnet.gui.samples.tissue import sample, truth

    stack = sample()
    contours, cells = truth()
    return [
        image_tuple(stack),
        labels_tuple(contours, stack, name="True contour", visible=False),
        labels_tuple(cells, stack, name="True cells", visible=False, opacity=0.45),
    ]


def hela() -> list[tuple[Any, dict[str, Any], str]]:
    """Fetch the public HeLa sequence in the background; it appears once it is here."""
    import napari
    from napari.utils.notifications import show_error, show_info

    from napari_copnet.gui.background.jobs import Job
    from napari_copnet.gui.preferences import cache_folder
    from napari_copnet.io.public_sequences import DIC_HELA, fetch_sequence

    viewer = napari.current_viewer()

    def add(fetched: Any) -> None:
        _jobs.discard(job)
        if viewer is None:
            return
        for data, arguments, kind in sequence_tuples(*fetched):
            getattr(viewer, f"add_{kind}")(data, **arguments)
        show_info(DIC_HELA.terms)

    def fail(error: Exception) -> None:
        _jobs.discard(job)
        show_error(str(error))

    job = Job(lambda: fetch_sequence(DIC_HELA, cache_folder()), "copnet-fetch")
    job.finished.connect(add)
    job.failed.connect(fail)
    _jobs.add(job)
    job.start()
    show_info(f"Downloading {DIC_HELA.name}, about {DIC_HELA.megabytes} MB ...")
    return []


def sequence_tuples(stack: Any, labels: Any) -> list[tuple[Any, dict[str, Any], str]]:
    """Return a fetched sequence and its truth as layers."""
    from napari_copnet.gui.readers import image_tuple, labels_tuple

    layers = [image_tuple(stack)]
    if labels is not None:
        layers.append(labels_tuple(labels, stack, name="Silver truth", visible=False, opacity=0.45))
    return layers
