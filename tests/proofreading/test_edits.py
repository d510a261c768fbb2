"""Edits as values: inverse, packing, text."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from napari_copnet.errors import InputError
from napari_copnet.proofreading.edits import (
    ACCEPTED,
    Edit,
    Flip,
    Judge,
    Patch,
    Relink,
    Renumber,
    Verdict,
    joined,
    united,
)
from napari_copnet.proofreading.links import Links
from napari_copnet.proofreading.packing import from_bytes, from_plain, to_bytes, to_plain
from napari_copnet.proofreading.session_model import SessionModel

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
PATCHES = st.builds(
    Patch.of, st.integers(0, 3), MASKS, st.tuples(st.integers(0, 5), st.integers(0, 5))
)
PAIRS = st.lists(st.tuples(st.integers(1, 99), st.integers(1, 99)), max_size=3).map(tuple)
VERDICTS = st.builds(
    Verdict, st.text(max_size=5), st.just("gap"), PATCHES, st.sampled_from(["accepted"])
)
CHANGES = st.one_of(
    st.builds(Flip, st.sampled_from(["contour", "vessel", "background"]), PATCHES),
    st.builds(Renumber, st.integers(0, 3), PAIRS, PAIRS, st.integers(1, 9), st.integers(1, 9)),
    st.builds(Relink, PAIRS, PAIRS),
    st.builds(Judge, st.none() | VERDICTS, st.none() | VERDICTS),
)
EDITS = st.builds(Edit, st.text(max_size=9), st.lists(CHANGES, max_size=4).map(tuple))


@given(EDITS)
def test_packing_there_and_back(edit):
    assert from_bytes(to_bytes(edit)) == edit
    assert from_plain(json.loads(json.dumps(to_plain(edit)))) == edit


@given(EDITS)
def test_the_inverse_of_the_inverse_is_the_edit(edit):
    assert edit.inverse.inverse == edit


@given(MASKS, st.integers(0, 5), st.integers(0, 5))
def test_a_patch_holds_the_pixels_of_its_mask(mask, top, left):
    patch = Patch.of(1, mask, (top, left))
    whole = np.zeros((20, 20), bool)
    whole[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    pasted = np.zeros((20, 20), bool)
    pasted[patch.box] = patch.mask
    assert np.array_equal(pasted, whole) and patch.count == mask.sum()
    assert patch.fits((2, 20, 20)) and not patch.fits((1, 20, 20))


def test_a_long_line_packs_into_few_bytes():
    mask = np.zeros((300, 300), bool)
    mask[np.arange(300), np.arange(300)] = True
    assert len(to_bytes(Edit("draw", (Flip("contour", Patch.of(0, mask)),)))) < 1500


def test_damaged_bytes_are_told():
    data = to_bytes(Edit("draw"))
    for bad in (b"", data[:-3], b"x" + data):
        with pytest.raises(InputError, match="damaged"):
            from_bytes(bad)


def test_flips_of_planes_do_not_disturb_each_other():
    model = SessionModel(np.zeros((1, 2, 2), np.uint8))
    dot = Patch.of(0, np.eye(2, dtype=bool))
    edit = Edit("mark", (Flip("contour", dot), Flip("vessel", dot), Flip("background", dot)))
    edit.apply(model)
    assert model.contour[0].tolist() == [[1, 0], [0, 1]]
    assert model.marks[0].tolist() == [[5, 0], [0, 5]]
    edit.inverse.apply(model)
    assert not model.contour.any() and not model.marks.any()


def test_joined_edits_come_apart_in_reverse():
    model = SessionModel(np.zeros((1, 1, 1), np.uint8))
    model.ids[0] = {0: 1}
    first = Edit("a", (Renumber(0, ((0, 1),), ((0, 2),), 2, 3),))
    second = Edit("b", (Renumber(0, ((0, 2),), ((0, 3),), 3, 4),))
    both = joined("both", first, second)
    both.apply(model)
    assert model.ids[0] == {0: 3} and model.next_id == 4
    both.inverse.apply(model)
    assert model.ids[0] == {0: 1} and model.next_id == 2


def test_one_patch_for_each_slice():
    left, right = Patch.of(0, np.ones((1, 2))), Patch.of(0, np.ones((2, 1)), (3, 4))
    other = Patch.of(2, np.ones((1, 1)))
    edit = Edit("", (Flip("contour", left), Flip("vessel", right), Flip("contour", other)))
    first, second = united(edit)
    assert (first.z, first.box) == (0, (slice(0, 5), slice(0, 5)))
    assert np.argwhere(first.mask).tolist() == [[0, 0], [0, 1], [3, 4], [4, 4]]
    assert second == other


def test_the_text_says_what_and_where():
    patch = Patch.of(4, np.ones((1, 3)))
    verdict = Verdict("closure 4", "closure", patch, ACCEPTED)
    assert Edit("draw", (Flip("contour", patch),)).text == "draw, slice 5, 3 px"
    assert Edit("accept", (Judge(None, verdict),)).text == "accept, closure"


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 7), st.integers(1, 7)), max_size=25))
def test_links_are_the_components_of_a_graph(steps):
    links, graph = Links(ids=8), set()
    for add, first, second in steps:
        pair = (min(first, second), max(first, second))
        if first == second:
            continue
        if add and pair not in graph:
            graph.add(pair)
            links.add([pair])
        elif not add and pair in graph:
            graph.remove(pair)
            links.remove([pair])
    assert list(links) == sorted(graph) and len(links) == len(graph)
    expected = {name: name for name in range(1, 8)}
    for _ in range(8):
        for first, second in graph:
            low = min(expected[first], expected[second])
            expected[first] = expected[second] = low
    assert [links.cell(name) for name in range(1, 8)] == list(expected.values())
    anew = Links(np.array(sorted(graph)).reshape(-1, 2), 8)
    assert anew.lookup(8).tolist() == links.lookup(8).tolist() == [0, *expected.values()]


def test_an_edit_of_an_earlier_version_is_read():
    stored = json.loads(
        '{"tool": "split", "changes": ['
        '{"change": "Flip", "plane": "contour", "patch": [1, 2, 3, 1, 2, "eJw7AAAAwQDB"]}, '
        '{"change": "Rename", "z": 1, "before": [[5, 2]], "after": [[5, 2], [9, 7]], '
        '"next_before": 7, "next_after": 8}, '
        '{"change": "Relink", "added": [[2, 7]], "removed": []}, '
        '{"change": "Judge", "before": null, '
        '"after": ["gap 1 2 3", "gap", [1, 2, 3, 1, 2, "eJw7AAAAwQDB"], "accepted"]}]}'
    )
    edit = from_plain(stored)
    patch = Patch.of(1, np.ones((1, 2), bool), (2, 3))
    assert edit == Edit(
        "split",
        (
            Flip("contour", patch),
            Renumber(1, ((5, 2),), ((5, 2), (9, 7)), 7, 8),
            Relink(((2, 7),), ()),
            Judge(None, Verdict("gap 1 2 3", "gap", patch, ACCEPTED)),
        ),
    )
    assert [change["change"] for change in to_plain(edit)["changes"]] == [
        change["change"] for change in stored["changes"]
    ]
