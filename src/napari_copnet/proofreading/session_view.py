"""The reading side of a session: what tools, the queue and exports look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.proofreading import session_files
from napari_copnet.proofreading.edits import Verdict
from napari_copnet.proofreading.links import Links
from napari_copnet.proofreading.planes import Planes
from napari_copnet.proofreading.relabel import labelled_slice
from napari_copnet.proofreading.session_model import SessionModel
from napari_copnet.proofreading.slice_cache import SliceCache, slices_in
from napari_copnet.proofreading.stored_array import StoredArray
from napari_copnet.runs.united import is_united

# Labels of the slices used last.
LABELS_MEGABYTES = 64


class SessionView:
    """The readable contents of a session; `session.Session` adds the changes.

    Attributes
    ----------
    folder : Path
    facts : store.Facts
        Shape, voxel size, cell settings, records of runs.
    """

    folder: Path
    facts: session_files.Facts

    def _show(self, model: SessionModel, excluded: Planes | None) -> None:
        self._model = model
        self._excluded = excluded
        most = slices_in(LABELS_MEGABYTES, 4 * model.shape[1] * model.shape[2], least=5)
        self._labels: SliceCache[np.ndarray] = SliceCache(self._labelled, most)
        # Arrays of the run in use that were opened, by path, and the copy of the image.
        self._arrays: dict[Path, Any] = {}
        self._image: Any = None

    @property
    def _run(self) -> Path:
        return self.folder / "runs" / str(len(self.facts.runs) - 1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (Z, Y, X)."""
        return self._model.shape

    @property
    def contour(self) -> Planes:
        """Closed contour, shape (Z, Y, X), uint8, 0 or 1; read slice by slice as it is indexed.

        A view: change it by `apply` only.
        """
        return self._model.contour

    @property
    def marks(self) -> Planes:
        """Bits of `edits.MARKS`, shape (Z, Y, X), uint8; as `contour`."""
        return self._model.marks

    def marked_slices(self) -> set[int]:
        """Return the slices with marks."""
        return {z for z in range(self.shape[0]) if self._model.marks.is_set(z)}

    @property
    def links(self) -> Links:
        """The links between slice cells. Change them by `apply` only."""
        return self._model.links

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """A copy of what was decided on items of the review queue, by key."""
        return dict(self._model.verdicts)

    @property
    def step1(self) -> StoredArray:
        """Contour probability of Step 1 in the last run, shape (Z, Y, X), float32, on disk."""
        array = self._run_array("contours.npy")
        if array is None:
            raise InputError(f"{self._run} is incomplete.", "Restore it from a copy.")
        return array

    @property
    def iterations(self) -> StoredArray | None:
        """Contour probability by iteration of the last run, (I, Z, Y, X), float16, on disk."""
        return self._run_array("iterations.npy")

    @property
    def unite(self) -> bool:
        """Whether the contour of Step 1 belongs to the closed contour of the last run."""
        return is_united(self.facts.runs[-1])

    @property
    def converged(self) -> np.ndarray | None:
        """Whether closing converged in each slice of the last run, where it is known."""
        return self._run_array("converged.npy")

    @property
    def image(self) -> Any:
        """The image, shape (Z, Y, X), or None when it is nowhere to be found unchanged."""
        if self._image is not None:
            return self._image
        image = session_files.find_image(self.folder, self.facts)
        # A copy in the folder stays what it is; any other file may be changed by its owner.
        if self.facts.image.get("kept"):
            self._image = image
        return image

    def run_contour(self, z: int) -> np.ndarray:
        """Return the closed contour of a slice as the last run made it, shape (Y, X), bool."""
        bits = self._run_array("closed.npy")
        assert bits is not None
        return session_files.unpacked_slice(bits, z, self.shape)

    def probability(self, z: int) -> np.ndarray:
        """Return the best contour probability of a slice, shape (Y, X), float32.

        That of the last iteration where it was kept, united with Step 1.
        """
        first = np.asarray(self.step1[z], np.float32)
        iterations = self.iterations
        if iterations is None:
            return first
        return np.maximum(first, np.asarray(iterations[-1, z], np.float32))

    def excluded(self, z: int) -> np.ndarray | None:
        """Return where a slice can have no cells (marks included), shape (Y, X), or None."""
        marked = self._model.marks[z] > 0 if self._model.marks.is_set(z) else None
        unseen = self.unseen(z)
        if unseen is None or marked is None:
            return marked if unseen is None else unseen
        return unseen | marked

    def unseen(self, z: int) -> np.ndarray | None:
        """Return where a slice has no results of networks, shape (Y, X), bool, or None.

        These are blank slices, and what alignment moved out of sight.
        """
        if self._excluded is None or not self._excluded.is_set(z):
            return None
        return self._excluded[z].view(bool)

    def ids(self, z: int) -> np.ndarray:
        """Return the slice cells of a slice by id, shape (Y, X), uint32. A view.

        An id is a number that no other slice cell of the stack has.
        """
        view = self._label(z).view()
        view.flags.writeable = False
        return view

    def id_at(self, z: int, y: int, x: int) -> int:
        """Return the id of the slice cell at a pixel, 0 where there is none."""
        return int(self.ids(z)[y, x])

    def cell_count(self, z: int) -> int:
        """Return the number of cells of a slice."""
        return self._model.ids.count(z)

    def present(self, z: int) -> set[int]:
        """Return the ids of the cells of a slice."""
        return set(self._model.ids[z].values())

    def slice_of(self, cell_id: int) -> int:
        """Return the slice an id belongs to, -1 where it is unknown."""
        return self._model.slice_of(cell_id)

    def cells(self, z: int, box: tuple[slice, slice] = (slice(None), slice(None))) -> np.ndarray:
        """Return the cells of a slice: linked slice cells have one number through the stack.

        Parameters
        ----------
        z : int
        box : tuple of slice
            The part asked for.

        Returns
        -------
        ndarray, shape (Y, X) of the box, uint32
        """
        return self._model.links.lookup(self._model.next_id)[self.ids(z)[box]]

    def all_cells(self) -> np.ndarray:
        """Return the cells of all slices, shape (Z, Y, X), uint32."""
        return np.stack([self.cells(z) for z in range(self.shape[0])])

    def _label(self, z: int) -> np.ndarray:
        """Return the ids of a slice, shape (Y, X), uint32, to be changed with the contour."""
        return self._labels[z]

    def _labelled(self, z: int) -> np.ndarray:
        return labelled_slice(
            self._model.contour[z], self.facts.cells, self._model.ids[z], self.excluded(z)
        )

    def _run_array(self, name: str) -> Any:
        """Return an array of the run in use, opened once; None where there is none."""
        path = self._run / name
        if path not in self._arrays:
            array = session_files.read_array(path)
            if array is None:
                return None
            # Those of a run before are let go.
            self._arrays = {p: a for p, a in self._arrays.items() if p.parent == path.parent}
            self._arrays[path] = array
        return self._arrays[path]
