"""Walking a queue of four drawn items with a clock that is set by hand."""

import numpy as np
import pytest

from napari_copnet.review.edits import ACCEPTED, Patch
from napari_copnet.review.queue import Item
from napari_copnet.review.walk import Walk


def item(key, z=0, score=0.5):
    return Item(key, "gap", Patch.of(z, np.ones((1, 1))), score, score, 9)


@pytest.fixture
def walk():
    now = [0.0]
    made = Walk([item("a", 0, 0.9), item("b", 1, 0.8), item("c", 1, 0.7)], lambda: now[0])
    return made, now


def test_next_leads_past_what_is_decided_and_round(walk):
    walk, _ = walk
    assert [walk.next().key for _ in range(4)] == ["a", "b", "c", "a"]
    walk.decided("b", ACCEPTED)
    assert walk.next().key == "c" and walk.previous().key == "b"
    for key in "ac":
        walk.decided(key, ACCEPTED)
    assert walk.next() is None and walk.done == walk.total == 3


def test_rate_and_time_left_follow_the_decisions_and_not_the_pauses(walk):
    walk, now = walk
    assert walk.rate is None and walk.seconds_left is None
    now[0] = 10.0
    walk.decided("a", ACCEPTED)
    assert walk.rate == 6 and walk.seconds_left == 20
    # An hour's pause counts for two minutes.
    now[0] = 3610.0
    walk.decided("b", ACCEPTED)
    assert walk.rate == pytest.approx(60 * 2 / 130)
    walk.decided("b", "")
    assert walk.done == 1


def test_items_of_an_edited_slice_are_renewed_and_the_place_is_kept(walk):
    walk, _ = walk
    walk.next()
    walk.renew([1], [item("d", 1, 0.95)])
    assert [one.key for one in walk.items] == ["d", "a"] and walk.current.key == "a"
    walk.renew([0], [])
    assert walk.current is None and walk.next().key == "d"
    assert Walk([]).next() is None
