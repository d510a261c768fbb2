"""Cells that an edit made are linked with those that they overlap in the next slices."""

from types import SimpleNamespace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_copnet.proofreading.link_edited_cells import new_links


class Slices:
    """What of a session is asked for."""

    def __init__(self, ids, known=(), mode="linked", least=0.3):
        self._ids, self.shape = np.asarray(ids, np.uint32), np.shape(ids)
        self.facts = SimpleNamespace(cells=SimpleNamespace(mode=mode, link_overlap=least))
        self.links = SimpleNamespace(
            near=lambda one: {b if a == one else a for a, b in known if one in (a, b)}
        )

    def ids(self, z):
        return self._ids[z]

    def present(self, z):
        return set(np.unique(self._ids[z]).tolist()) - {0}


WHOLE = (slice(None), slice(None))


def one_by_one(slices, z, ids, least):
    """The rule, pixel by pixel."""
    found = set()
    for other_z in (z - 1, z + 1):
        if not 0 <= other_z < slices.shape[0]:
            continue
        for cell in ids:
            if slices.links.near(cell) & slices.present(other_z):
                continue
            mine = slices.ids(z) == cell
            for other in slices.present(other_z):
                theirs = slices.ids(other_z) == other
                if (mine & theirs).sum() >= max(least, 0.5) * (mine | theirs).sum() > 0:
                    found.add((min(cell, other), max(cell, other)))
    return found


def test_a_cell_is_linked_with_the_one_that_shares_most_of_both():
    above = [[1, 1, 1, 2, 2, 2]]
    here = [[11, 11, 11, 12, 0, 0]]
    # 11 is 1; 12 is only a third of 2
    slices = Slices([above, here, [[0] * 6]])
    assert new_links(slices, 1, [11, 12], WHOLE) == ((1, 11),)
    # another cell is not looked at, nor one that has its partner in that slice
    assert new_links(slices, 1, [12], WHOLE) == ()
    assert new_links(Slices([above, here], known=[(2, 11)]), 1, [11], WHOLE) == ()
    assert new_links(Slices([above, here], mode="slice"), 1, [11], WHOLE) == ()


def test_outside_of_the_box_cells_of_the_next_slice_still_count():
    # the same three pixels, but the cell above goes on
    slices = Slices([[[1] * 9], [[11, 11, 11, 0, 0, 0, 0, 0, 0]]])
    assert new_links(slices, 1, [11], (slice(0, 1), slice(0, 3))) == ()


@given(
    hnp.arrays(np.uint32, (3, 3, 5), elements=st.integers(0, 7)),
    st.sampled_from([0.0, 0.5, 0.6, 0.9]),
    st.lists(st.tuples(st.integers(1, 7), st.integers(21, 27)), max_size=2),
)
def test_all_at_once_is_as_one_by_one(ids, least, known):
    # each slice has its own ids
    ids = np.where(ids > 0, ids + np.array([0, 20, 40], np.uint32)[:, None, None], 0)
    slices = Slices(ids, known, least=least)
    cells = sorted(slices.present(1))
    found = new_links(slices, 1, cells, WHOLE)
    assert len(found) == len(set(found))
    expected = one_by_one(slices, 1, cells, least)
    # two may share just half of a cell each: then the one with the lower id is compared
    assert set(found) <= expected
    if least > 0.5:
        assert set(found) == expected
