"""A session is a plain model of arrays, whatever is done to it and however often it is reopened."""

import shutil
from itertools import pairwise

import numpy as np
import pytest
from drawn_contours import same_up_to_ids, two_rooms
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from napari_copnet.errors import CopnetError, InputError, OutputError
from napari_copnet.params import CellParams
from napari_copnet.proofreading.edits import (
    ACCEPTED,
    MARKS,
    PLANES,
    Edit,
    Flip,
    Judge,
    Patch,
    Relink,
    Verdict,
)
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.session_start import Start
from napari_copnet.steps.cells import label_cells, label_slice
from napari_copnet.types import Stack, VoxelSize


def dot(z, y, x, plane="contour"):
    mask = np.ones((1, 1), bool)
    return Edit("dot", (Flip(plane, Patch.of(z, mask, (y, x))),))


class Plain(RuleBasedStateMachine):
    """Compares a session with arrays that are copied whole before every edit."""

    SHAPE = (3, 6, 7)

    @initialize(
        seed=st.integers(0, 99),
        mode=st.sampled_from(["slice", "linked", "3d"]),
        rule=st.sampled_from(["plain", "plain", "scoring"]),
        min_size=st.sampled_from([0, 3]),
    )
    def create(self, seed, mode, rule, min_size):
        import tempfile

        rng = np.random.default_rng(seed)
        self.folder = tempfile.mkdtemp()
        contour = (rng.random(self.SHAPE) < 0.3).astype(np.uint8)
        excluded = np.zeros(self.SHAPE, bool)
        excluded[2] = seed % 3 == 0
        excluded[0, :, 0] = True
        self.excluded = excluded
        self.params = CellParams(mode=mode, rule=rule, dilation=1, grow=1, min_size=min_size)
        start = Start(contour, contour * 0.8, excluded=excluded, cells=self.params)
        self.session = Session.create(self.folder, start)
        self.states = [self.plain_start(contour)]
        self.seen = {0: self.look()}
        self.at = 0

    def plain_start(self, contour):
        return contour.copy(), np.zeros(self.SHAPE, np.uint8), {}

    def look(self):
        """Everything a session shows of cells: names and numbers through the stack."""
        session = self.session
        ids = np.stack([session.ids(z) for z in range(3)])
        return ids, session.all_cells(), list(session.links)

    @rule(
        z=st.integers(0, 2),
        depth=st.integers(1, 2),
        plane=st.sampled_from((*PLANES, "contour", "contour")),
        seed=st.integers(0, 9),
    )
    def flip(self, z, depth, plane, seed):
        rng = np.random.default_rng(seed)
        contour, marks, verdicts = (part.copy() for part in self.states[self.at])
        flips = []
        for one in range(z, min(z + depth, 3)):
            mask = rng.random(self.SHAPE[1:]) < rng.choice([0.03, 0.2])
            flips.append(Flip(plane, Patch.of(one, mask)))
            if plane == "contour":
                contour[one][mask] = 1 - contour[one][mask]
            else:
                marks[one][mask] ^= MARKS[plane]
        self.session.apply(Edit("flip", tuple(flips)))
        self.remember(contour, marks, verdicts)

    @rule(key=st.sampled_from("abc"), keep=st.booleans())
    def judge(self, key, keep):
        contour, marks, verdicts = (part.copy() for part in self.states[self.at])
        before = verdicts.pop(key, None)
        after = Verdict(key, "gap", Patch.of(0, np.ones((1, 1))), ACCEPTED) if keep else None
        if before == after:
            return
        if after is not None:
            verdicts[key] = after
        self.session.apply(Edit("judge", (Judge(before, after),)))
        self.remember(contour, marks, verdicts)

    @rule(data=st.data())
    def relink(self, data):
        ids = sorted(set(np.unique(self.look()[0])) - {0})
        if len(ids) < 2:
            return
        pair = data.draw(st.lists(st.sampled_from(ids), min_size=2, max_size=2, unique=True))
        pair = (int(min(pair)), int(max(pair)))
        there = pair in self.session.links
        change = Relink(removed=(pair,)) if there else Relink(added=(pair,))
        self.session.apply(Edit("link", (change,)))
        assert (pair in self.session.links) != there
        self.remember(*self.states[self.at])

    def remember(self, *state):
        del self.states[self.at + 1 :]
        self.seen = {at: seen for at, seen in self.seen.items() if at <= self.at}
        self.states.append(state)
        self.at += 1
        self.seen[self.at] = self.look()

    @rule()
    def undo(self):
        self.session.undo()
        self.at = max(self.at - 1, 0)

    @rule()
    def redo(self):
        self.session.redo()
        self.at = min(self.at + 1, len(self.states) - 1)

    @rule(share=st.floats(0, 1))
    def jump(self, share):
        self.at = round(share * (len(self.states) - 1))
        self.session.jump(self.at)

    @rule(snapshot=st.booleans())
    def reopen(self, snapshot):
        if not snapshot:
            self.session._since_snapshot = 0
        self.session.close()
        self.session = Session.open(self.folder)

    @invariant()
    def equals_the_plain_model(self):
        session = self.session
        contour, marks, verdicts = self.states[self.at]
        assert session.history.position == self.at and len(session.history) + 1 == len(self.states)
        assert np.array_equal(session.contour, contour)
        assert np.array_equal(session.marks, marks)
        assert session.verdicts == verdicts
        ids, cells, links = self.look()
        for before, now in zip(self.seen[self.at], (ids, cells, links), strict=True):
            assert np.array_equal(before, now)
        for z in range(3):
            anew = label_slice(contour[z], self.params, excluded=self.excluded[z] | (marks[z] > 0))
            assert same_up_to_ids(ids[z], anew)

    def teardown(self):
        if hasattr(self, "session"):
            self.session.close()
            shutil.rmtree(self.folder)


def test_any_sequence_of_edits_undos_redos_and_reopens_equals_a_plain_model():
    run_state_machine_as_test(
        Plain,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("blank", [None, 2, slice(1, 4)])
@pytest.mark.parametrize("mode", ["linked", "3d"])
def test_a_new_session_shows_the_cells_of_the_pipeline(tmp_path, mode, blank):
    from napari_copnet.progress import finish

    rng = np.random.default_rng(3)
    contour = (rng.random((6, 8, 9)) < 0.35).astype(np.uint8)
    if blank is not None:
        # The cells of the slices around are linked past it.
        contour[blank] = 1
    params = CellParams(mode=mode, min_size=2)
    with Session.create(tmp_path / "s", Start(contour, contour * 0.9, cells=params)) as session:
        made = session.all_cells()
    expected = finish(label_cells(contour, params)).labels
    if mode == "3d":
        # There the smallest size counts the largest slice of a cell, here each slice.
        expected = np.where(made > 0, expected, 0)
    pairs = np.unique(np.stack([made.ravel(), expected.ravel()]), axis=1)
    # What is one here is one there.
    assert len(np.unique(pairs[0])) == pairs.shape[1]
    if mode == "linked":
        assert same_up_to_ids(made, expected)


def test_closing_a_gap_links_the_new_cell_to_its_neighbours(session):
    assert len(np.unique(session.cells(1))) == 2
    session.apply(dot(1, 3, 4))
    cells = session.all_cells()
    for z, after in pairwise(range(3)):
        assert np.array_equal(cells[z], cells[after])
    session.undo()
    assert len(np.unique(session.cells(1))) == 2


def test_listeners_hear_where_to_look(session):
    heard = []
    session.on_change.append(heard.append)
    before = [session.cells(z).copy() for z in range(3)]
    session.apply(dot(1, 3, 4))
    shown = [cells.copy() for cells in before]
    for z, box in heard[0]:
        shown[z][box] = session.cells(z, box)
    assert all(np.array_equal(shown[z], session.cells(z)) for z in range(3))


def test_a_second_opener_reads_only_and_says_so(session):
    session.apply(dot(1, 3, 4))
    assert session.wait_saved()
    with Session.open(session.folder) as second:
        assert second.read_only and "another window" in second.notice
        assert np.array_equal(second.contour, session.contour)
        with pytest.raises(OutputError, match="another window"):
            second.apply(dot(0, 0, 0))
    assert not session.read_only and session.notice == ""
    session.close()
    with Session.open(session.folder) as third:
        assert not third.read_only and third.contour[1, 3, 4] == 1


def test_views_can_not_be_written_to(session):
    for view in (session.contour, session.marks, session.ids(0)):
        with pytest.raises(ValueError, match="read-only"):
            view[...] = 1


def test_edits_that_do_not_fit_are_refused_and_change_nothing(session):
    before = session.contour.copy()
    verdict = Verdict("a", "gap", Patch.of(0, np.ones((1, 1))), ACCEPTED)
    bad = [
        dot(3, 0, 0),
        dot(0, 7, 0),
        Edit("link", (Relink(removed=((1, 99),)),)),
        Edit("judge", (Judge(verdict, None),)),
        Edit("both", (*dot(0, 0, 0).changes, *dot(9, 0, 0).changes)),
    ]
    for edit in bad:
        with pytest.raises(CopnetError, match="does not fit"):
            session.apply(edit)
    assert np.array_equal(session.contour, before) and len(session.history) == 0


def test_new_results_keep_what_was_decided(session, rooms):
    # Closed by hand; accepted: a wall pixel that the next run lacks; rejected: one it has.
    session.apply(dot(1, 3, 4))
    wall = Verdict("a", "closure", Patch.of(0, np.ones((1, 1)), (2, 4)), ACCEPTED)
    session.apply(Edit("accept", (Judge(None, wall),)))
    new = two_rooms()
    new[0, 2, 4] = new[0, 5, 4] = 0
    new[2, 0, 0] = 1
    session.add_run(Start(new, rooms.step1 * 0.5, cells=rooms.cells))
    expected = new.copy()
    expected[1, 3, 4] = expected[0, 2, 4] = 1
    assert np.array_equal(session.contour, expected)
    assert np.max(session.step1) < 0.5 and len(session.facts.runs) == 2
    session.undo()
    assert session.contour[0, 5, 4] == 1 and session.contour[2, 0, 0] == 0


def test_the_image_is_kept_or_found_by_its_hash(tmp_path, rooms):
    from dataclasses import replace

    from napari_copnet.io.write import write_image

    data = np.arange(rooms.contour.size, dtype=np.uint8).reshape(rooms.contour.shape)
    path = write_image(tmp_path / "stack.tif", data)
    stack = Stack(data, VoxelSize(0.05, 0.01, 0.01), source=path)
    start = replace(rooms, stack=stack)
    with Session.create(tmp_path / "kept", start) as session:
        assert np.array_equal(session.image, data)
        assert session.facts.voxel_size == stack.voxel_size
    with Session.create(tmp_path / "referred", start, keep_image=False) as session:
        assert np.array_equal(session.image, data)
        path.write_bytes(path.read_bytes() + b" ")
        assert session.image is None


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path, rooms):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        Session.create(tmp_path, rooms)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    with pytest.raises(InputError, match="not a session"):
        Session.open(tmp_path)


def test_damage_is_told_in_a_sentence(tmp_path, rooms):
    Session.create(tmp_path / "s", rooms).close()
    for name, match in (("start.npz", "damaged"), ("session.json", "damaged")):
        copy = tmp_path / name
        shutil.copytree(tmp_path / "s", copy)
        (copy / name).write_bytes(b"{")
        with pytest.raises(InputError, match=match):
            Session.open(copy)
    (tmp_path / "s" / "journal.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(InputError, match="recover"):
        Session.open(tmp_path / "s")


def test_a_reader_follows_edits_undo_and_new_branches(session):
    with Session.open(session.folder) as reader:
        heard = []
        reader.on_change.append(heard.append)
        assert reader.follow() == [] and heard == []

        def same():
            assert session.wait_saved()
            reader.follow()
            assert np.array_equal(reader.contour, session.contour)
            assert np.array_equal(reader.all_cells(), session.all_cells())
            assert reader.history.position == session.history.position
            texts = [[h[n].text for n in range(len(h))] for h in (reader.history, session.history)]
            assert texts[0] == texts[1]

        reader.all_cells()
        session.apply(dot(1, 3, 4))
        same()
        assert {t.z for t in heard[0]} >= {1}
        session.apply(dot(0, 1, 1))
        session.apply(dot(2, 1, 1))
        same()
        session.undo()
        session.undo()
        same()
        session.apply(dot(2, 5, 1))
        same()
        assert session.follow() == []


def test_a_reader_follows_to_another_run(session, rooms):
    with Session.open(session.folder) as reader:
        heard = []
        reader.on_run.append(lambda: heard.append("run"))
        reader.on_change.append(lambda touched: heard.append({t.z for t in touched}))
        # One that changes no pixel leaves nothing in the journal.
        iterations = np.stack([rooms.step1 * 0.5, rooms.step1]).astype(np.float16)
        session.add_run(Start(rooms.contour, rooms.step1 * 0.5, iterations=iterations))
        assert reader.follow() == [] and heard == ["run"]
        assert np.array_equal(reader.step1, rooms.step1 * 0.5)
        assert np.array_equal(reader.iterations, iterations)
        assert reader.follow() == [] and heard == ["run"]
        new = rooms.contour.copy()
        new[2, 3, 4] ^= 1
        session.add_run(Start(new, rooms.step1 * 0.25))
        assert session.wait_saved()
        assert {t.z for t in reader.follow()} == {2}
        # What edits rest on comes first.
        assert heard == ["run", "run", {2}]
        assert np.array_equal(reader.contour, new) and reader.iterations is None


def test_a_session_opened_in_one_thread_is_closed_in_another(tmp_path, rooms):
    from threading import Thread

    Session.create(tmp_path / "s", rooms).close()
    made = []
    thread = Thread(target=lambda: made.append(Session.open(tmp_path / "s")))
    thread.start()
    thread.join()
    made[0].apply(dot(1, 3, 4))
    made[0].close()
    with Session.open(tmp_path / "s") as again:
        assert not again.read_only and again.contour[1, 3, 4]
