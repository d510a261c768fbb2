"""Which cells touch, and on how many voxel faces, gathered slice by slice."""

from __future__ import annotations

import numpy as np


class Contacts:
    """Faces between voxels of different cells, counted as slices are added in order."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._pairs: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []

    def add(self, labels: np.ndarray) -> None:
        """Add the next slice, shape (Y, X), uint32; 0 is no cell."""
        labels = np.asarray(labels, np.uint32)
        if self._before is not None:
            self._count(self._before, labels, 0)
        self._count(labels[:-1], labels[1:], 1)
        self._count(labels[:, :-1], labels[:, 1:], 2)
        self._before = labels
        # What was found is summed up now and then, so that it grows with the pairs, not the stack.
        if sum(part.size for part in self._pairs) > 4_000_000:
            self._gather()

    def pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Return what touches.

        Returns
        -------
        cells : ndarray, shape (N, 2), int64
            The lower number first, sorted.
        faces : ndarray, shape (N, 3), int64
            Voxel faces they share along z, y, x.
        """
        self._gather()
        packed = self._pairs[0]
        cells = np.stack([packed >> np.uint64(32), packed & np.uint64(0xFFFFFFFF)], axis=1)
        return cells.astype(np.int64), self._counts[0]

    def _count(self, first: np.ndarray, second: np.ndarray, axis: int) -> None:
        met = (first != second) & (first > 0) & (second > 0)
        one, other = first[met].astype(np.uint64), second[met].astype(np.uint64)
        packed = (np.minimum(one, other) << np.uint64(32)) | np.maximum(one, other)
        pairs, counts = np.unique(packed, return_counts=True)
        faces = np.zeros((pairs.size, 3), np.int64)
        faces[:, axis] = counts
        self._pairs.append(pairs)
        self._counts.append(faces)

    def _gather(self) -> None:
        every = np.concatenate([np.zeros(0, np.uint64), *self._pairs])
        faces = np.concatenate([np.zeros((0, 3), np.int64), *self._counts])
        pairs, place = np.unique(every, return_inverse=True)
        summed = np.zeros((pairs.size, 3), np.int64)
        np.add.at(summed, place, faces)
        self._pairs, self._counts = [pairs], [summed]
