"""Small drawn sessions."""

import numpy as np
import pytest
from drawn_contours import two_rooms

from napari_copnet.params import CellParams
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start


@pytest.fixture
def rooms():
    """What a session of two rooms begins with; the probability of the gap is weak."""
    contour = two_rooms()
    step1 = contour * np.float32(0.9)
    step1[1, 3, 4] = 0.3
    return Start(contour, step1, cells=CellParams(min_size=0))


@pytest.fixture
def session(tmp_path, rooms):
    with Session.create(tmp_path / "rooms", rooms) as opened:
        yield opened
