"""The review queue in the dock: computed in a thread, browsed and decided with keys."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from psygnal import Signal

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.preferences import answer_seconds
from napari_copnet.gui.proofreading.item_pictures import ItemPictures
from napari_copnet.gui.proofreading.proofreading_form import ProofreadForm
from napari_copnet.gui.proofreading.queue_state import QueueState, find_items, still_for
from napari_copnet.gui.widgets.dock import delayed
from napari_copnet.gui.widgets.lazy_rows import Rows
from napari_copnet.proofreading.closing_history import birth_of
from napari_copnet.proofreading.edits import ACCEPTED, REJECTED, Patch
from napari_copnet.proofreading.queue import Item, accept, reject
from napari_copnet.proofreading.queue_reasons import reason_of
from napari_copnet.proofreading.session import Session

# Slices that edits have touched are looked at again once the user pauses.
AGAIN_MS = 1500
_KIND = {"closure": "closed", "gap": "gap", "split": "doubtful", "unsettled": "not converged"}


class QueueController:
    """Connects the queue with the form.

    Parameters
    ----------
    form : ProofreadForm
    session : Session
    compute : callable
        See `background.task_queue.Compute`.

    Attributes
    ----------
    state : QueueState
    pictures : ItemPictures or None
        For the list.
    iteration : int or None
        That closed the wall in question, or the pixel that was clicked.
    decided : Signal
        The edit that a decision made.
    shown : Signal
        An `Item`, or None, to be shown on the canvas; with True the camera goes there.
    """

    decided = Signal(object)
    shown = Signal(object, bool)
    # Seconds for which what an answer did is shown before the view moves on; 0 for none.
    pause = 0.4

    def __init__(self, form: ProofreadForm, session: Session, compute: Compute) -> None:
        self.form, self.session, self.state = form, session, QueueState()
        self._compute = compute
        self.iteration: int | None = None
        self.pictures: ItemPictures | None = None
        # To be looked at again: when the user pauses, and when all items are decided.
        self._stale: set[int] = set()
        self._walked: set[int] = set()
        self._following = self._stopped = self._is_looking = self._is_last_look = False
        self._rows = Rows(
            ("Kind", "Slice", "What it would change", "State"),
            lambda: len(self.state.shown),
            self._cell,
            lambda row: bool(self.state.verdict(self.state.shown[row])),
            self._picture,
        )
        form.queue_view.show_rows(self._rows)
        form.kinds.setCurrentIndex(0)
        self._timer = delayed(self._look_again, AGAIN_MS, form)
        self.pause = answer_seconds()
        self._moving = delayed(self._move_on, 0, form)
        self.state.read_verdicts(session)
        self._renew()
        self._allow()
        self._tell_birth(None)

    def find_all(self) -> None:
        """Find the items of all slices."""
        self._is_looking = True
        self._renew()
        self._find(None)

    def take_run(self) -> None:
        """Another run is in use: look for its errors, and tell how it closed what is asked."""
        self._ask(fly=False)
        self.find_all()

    def stop(self) -> None:
        """Nothing is shown any more."""
        self._stopped = True
        self._timer.stop()
        self._moving.stop()

    @property
    def is_stale(self) -> bool:
        """Whether slices wait to be looked at again."""
        return bool(self._stale)

    def next(self) -> None:
        """Ask the next open item."""
        self.form.message.clear()
        if self.is_showing:
            self._move_on()
        elif self.state.next() is not None:
            self._ask()
        elif self.state.shown:
            self._at_the_end()
        elif self._is_looking:
            self.form.message.note(
                "The slices are still being searched. Items appear when that is done."
            )
        else:
            self.form.message.note("No likely errors were found.")

    def previous(self) -> None:
        """Ask the item before."""
        self.form.message.clear()
        self._moving.stop()
        self.state.previous()
        self._ask()

    def go_to(self, position: int) -> None:
        """Ask the item at a position of the list."""
        self.form.message.clear()
        self._moving.stop()
        self.state.go_to(position)
        self._ask()

    def inspect(self, z: int, y: int, x: int) -> None:
        """Show the item of a contour pixel in the queue, and when it was closed."""
        item = self.state.at_place(z, y, x)
        if item is not None:
            kinds = self.form.kinds
            kinds.setCurrentIndex(kinds.findData(self.state.kind))
            self._ask(fly=False)
            return
        self.state.leave(to_start=True)
        self._renew()
        self.shown.emit(None, False)
        self.form.question.setText(f"Contour in slice {z + 1}; the queue has no item here.")
        self._tell_birth(Patch.of(z, np.ones((1, 1), bool), (y, x)))

    def unfold(self) -> None:
        """List some more items."""
        self.state.unfold()
        self._renew()

    def choose_kind(self) -> None:
        """Walk the kind that is chosen in the form."""
        self.state.choose_kind(self.form.kinds.currentData())
        self._renew()

    def decide(self, yes: bool) -> None:
        """Accept or reject the item in question and go on to the next.

        What that changed is shown for a moment first. A key within it goes on at once, and answers
        nothing: the next item has not been seen.

        Raises
        ------
        CopnetError
            None is asked.
        """
        if self.is_showing:
            self._move_on()
            return
        item = self.state.current
        if item is None:
            raise CopnetError("No item is selected.", "Press N for the next one.")
        if not self._is_so(item, ACCEPTED if yes else REJECTED):
            self._following = True
            try:
                edit = (accept if yes else reject)(self.session, item)
                self.session.apply(edit)
                self.decided.emit(edit)
            finally:
                self._following = False
            self.state.decided()
            if self.pause > 0:
                self.shown.emit(None, False)
                self._renew()
                self._moving.start(round(1000 * self.pause))
                return
        self._move_on()

    @property
    def is_showing(self) -> bool:
        """Whether what the last answer did is shown, before the view moves on."""
        return self._moving.isActive()

    def _move_on(self) -> None:
        self._moving.stop()
        if self._stopped:
            return
        if self.state.next() is None:
            self.state.leave()
            self._at_the_end()
        self._ask()

    @contextlib.contextmanager
    def following(self) -> Iterator[None]:
        """Go to the item whose decision is taken back, or made again, inside."""
        self._moving.stop()
        before = self.session.verdicts
        yield
        after = self.session.verdicts
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        meant = [
            item
            for item in self.state.shown
            if any(one.key in changed for one in (item, *item.also))
        ]
        if len(meant) == 1 and self.state.find(meant[0].key) is not None:
            self._ask()

    def changed(self, slices: set[int]) -> None:
        """The session has changed in these slices."""
        self.state.read_verdicts(self.session)
        self._renew()
        # Cells of a slice are witnesses of what lies in the slices around.
        around = {near for z in slices for near in (z - 1, z, z + 1)}
        around &= set(range(self.session.shape[0]))
        if self._following:
            self._walked |= around
        elif slices:
            self._stale |= around
            self._timer.start()
            self._put_aside(slices)

    def _put_aside(self, slices: set[int]) -> None:
        """Ask nothing after a fix by hand: a key would answer what is not looked at."""
        item = self.state.current
        if item is not None:
            self.state.leave(passed=any(patch.z in slices for patch in item.patches))
            self._ask()

    def _at_the_end(self) -> None:
        """All items shown are decided: what was decided may have brought others up."""
        rest = f" {self.state.folded} that matter less are left." if self.state.folded else ""
        self.form.message.note(f"Every item shown is decided.{rest}")
        if self._walked and not self.session.read_only:
            self._stale |= self._walked
            self._walked = set()
            self.form.message.note(
                "Every item shown is decided. The slices you changed are being searched once more."
            )
            self._is_last_look = True
            self._look_again()

    def _is_so(self, item: Item, verdict: str) -> bool:
        """Whether this was decided on an item already, and still holds in the contour."""
        for one in (item, *item.also):
            patch = one.patch
            contour = self.session.contour[patch.z][patch.box] > 0
            wrong = patch.mask & (contour != (verdict == ACCEPTED))
            if self.state.verdict(one) != verdict or wrong.any():
                return False
        return True

    def _ask(self, fly: bool = True) -> None:
        item = self.state.current
        self.shown.emit(item, fly)
        self._renew()
        self._tell_birth(item.patch if item is not None else None)

    def _tell_birth(self, patch: Patch | None) -> None:
        birth = birth_of(self.session, patch) if patch is not None else None
        form = self.form
        form.birth_row.setVisible(birth is not None)
        self.iteration = birth.iteration if birth is not None else None
        form.birth.setText(birth.text if birth is not None else "")
        form.see_button.setVisible(self.iteration is not None)
        form.see_button.setText(
            f"See iteration {self.iteration}" if self.iteration else "See Step 1"
        )

    def _look_again(self) -> None:
        slices, self._stale = sorted(self._stale), set()
        if slices:
            self._find(slices)

    def _find(self, slices: list[int] | None) -> None:
        session, items_before, listed = self.session, self.state.items, self.state.listed

        def take(items: list[Item]) -> None:
            if self._stopped:
                return
            state = self.state
            is_same = state.items is items_before and state.listed.verdicts == listed.verdicts
            if slices is not None and not is_same:
                # What was found may have put a wall decided since together with others.
                self._stale |= set(slices)
                self._timer.start()
                return
            self._is_looking = self._is_looking and slices is not None
            self.state.replace(items)
            self._renew()
            self._allow()
            if self._is_last_look and slices is not None:
                self._is_last_look = False
                more = self.state.open
                came = f"{more} more found: press N." if more else "No more items were found."
                self.form.message.note(f"The slices you changed were searched once more. {came}")

        name = "queue" if slices is None else f"queue {slices}"
        still = still_for(session, slices)
        self._compute(name, lambda: find_items(still, slices, listed)).finished.connect(take)

    def _allow(self) -> None:
        form, any_items = self.form, bool(self.state.items)
        for button in (form.previous_button, form.next_button):
            button.setEnabled(any_items)
        for button in (form.accept_button, form.reject_button):
            button.setEnabled(any_items and not self.session.read_only)

    def _renew(self) -> None:
        form, item = self.form, self.state.current
        form.queue_view.renew(self.state.at)
        form.ask(item is not None)
        form.question.setText("" if item is None else item.text)
        form.show_answers("" if item is None else item.kind)
        state = self.state
        found = state.items or not self._is_looking
        form.pace.setText(state.text if found else "Searching for likely errors …")
        form.headline.setText(state.headline)
        form.headline.setVisible(bool(state.headline))
        form.fold_button.setVisible(bool(state.folded))
        rest = "" if state.more == state.folded else f" of {state.folded}"
        form.fold_button.setText(f"Show {state.more} more{rest}")

    def _cell(self, row: int, column: int) -> str:
        item = self.state.shown[row]
        return (
            _KIND[item.kind],
            span(item),
            self._reason(item),
            self.state.verdict(item) or "open",
        )[column]

    def _reason(self, item: Item) -> str:
        slices = {patch.z for patch in item.patches}
        return reason_of(item.kind, slices, item.beside, self.session.links.cell)

    def _picture(self, row: int, column: int) -> Any:
        if column != 2 or self.pictures is None or self._stopped:
            return None
        return self.pictures.of(self.state.shown[row])


def span(item: Item) -> str:
    """Return the slices of an item, counted from 1, for a narrow column."""
    slices = [patch.z + 1 for patch in item.patches]
    return str(slices[0]) if len(slices) == 1 else f"{slices[0]}–{slices[-1]}"
