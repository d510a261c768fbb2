"""The shipped networks on tissue with padding, inverted contrast or hot pixels.

Cells stay as they are, or the run does not end as if all were well.
"""

import numpy as np
import pytest

from napari_copnet.params import CellParams, PreprocessParams, Settings
from napari_copnet.pipeline import run
from napari_copnet.progress import finish
from napari_copnet.restored import restore
from napari_copnet.types import Stack
from napari_copnet.verdict.types import GREEN, INVERT

SIDE, PADDED = 256, 36
INSIDE = np.zeros((SIDE, SIDE), bool)
INSIDE[PADDED:-PADDED, PADDED:-PADDED] = True


def tissue():
    """One slice of polygons with dark walls and noise, uint8."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    seeds = rng.uniform(0, SIDE, (40, 2))
    nearest = np.sort(np.stack([np.hypot(y - sy, x - sx) for sy, sx in seeds]), axis=0)[:2]
    grey = np.where(nearest[1] - nearest[0] < 5, 80, 170) + rng.normal(0, 12, y.shape)
    return np.clip(grey, 1, 255).astype(np.uint8)


def segmented(image, invert="auto"):
    """Return a run of a slice, and its cells."""
    settings = Settings(
        preprocess=PreprocessParams(size=SIDE, align=False, invert=invert),
        cells=CellParams(mode="slice"),
    )
    result = finish(run(Stack(image[None]), settings))
    return result, finish(restore(result)).cells[0]


@pytest.fixture(scope="module")
def plain():
    _, cells = segmented(tissue())
    assert len(np.unique(cells)) > 25
    return cells


def share_found(cells, expected, where):
    """Return which share of the cells that lie in a part has its like: over half in common."""
    wanted = [n for n in np.unique(expected[where]) if n and where[expected == n].all()]
    found = 0
    for number in wanted:
        mask = expected == number
        like = np.bincount(cells[mask]).argmax()
        union = mask | (cells == like)
        found += like > 0 and (mask & (cells == like)).sum() > 0.5 * union.sum()
    assert len(wanted) >= 5
    return found / len(wanted)


def test_padding_is_no_cell_and_changes_none(plain):
    image = tissue()
    image[~INSIDE] = 0
    _, cells = segmented(image)
    assert (cells[~INSIDE] > 0).mean() < 0.01
    # Cells at the border of the padding are cut.
    assert share_found(cells, plain, INSIDE) >= 0.8


def test_hot_pixels_change_no_cell(plain):
    rng = np.random.default_rng(1)
    image = tissue().astype(np.uint16) * 8 + 1000
    image[tuple(rng.integers(0, SIDE, (2, 20)))] = 65535
    _, cells = segmented(image)
    assert share_found(cells, plain, np.ones_like(INSIDE)) >= 0.9


def test_light_membranes_are_noticed(plain):
    result, cells = segmented(255 - tissue())
    if not result.preprocessed.inverted:
        assert result.verdict.light != GREEN and INVERT in result.verdict.ways
        _, cells = segmented(255 - tissue(), invert="yes")
    assert share_found(cells, plain, np.ones_like(INSIDE)) >= 0.9
