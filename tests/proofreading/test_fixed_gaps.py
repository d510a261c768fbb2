"""Gaps closed by hand in a drawn session."""

import numpy as np

from napari_copnet.params import CellParams
from napari_copnet.proofreading.edit_tools import draw
from napari_copnet.proofreading.fixed_gaps import fixed_gaps
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start


def test_gaps_that_users_closed_and_no_others(tmp_path):
    contour = np.zeros((3, 40, 100), np.uint8)
    contour[:, 20] = 1
    contour[1, :, 10:30] = contour[2, :, 60:70] = 0
    start = Start(contour, contour * np.float32(0.9), cells=CellParams(min_size=0))
    with Session.create(tmp_path / "line", start) as session:
        assert fixed_gaps(session).lengths.size == 0
        session.apply(draw(session, [1], [(20, 9), (20, 30)], 1))
        found = fixed_gaps(session)
        # Two pixels less at either end; slice 2 was not touched.
        assert found.lengths.tolist() == [16]
        assert 90 <= found.contour <= 100
        assert fixed_gaps(session, [0, 2]).lengths.size == 0
        session.undo()
        assert fixed_gaps(session).contour == 0
