"""After an edit: offer the same fix in neighbouring slices, to accept or skip."""

from __future__ import annotations

from typing import Any

from psygnal import Signal

from napari_copnet.gui.background.jobs import Job
from napari_copnet.gui.proofreading.overlays import Overlays
from napari_copnet.gui.proofreading.same_fix_bar import SameFixBar
from napari_copnet.gui.widgets.dock import delayed
from napari_copnet.proofreading.edits import Edit
from napari_copnet.proofreading.same_fix import copied, reach_of, same_fixes, together
from napari_copnet.proofreading.session import Session
from napari_copnet.proofreading.slice_names import named

# Edits that follow each other faster are worked on without offers in between.
PAUSE_MS = 200


class SameFixOffer:
    """Offers the fix of the last edit for the slices around it; nothing is made unasked.

    Parameters
    ----------
    bar : SameFixBar
    session : Session
    marks : Overlays
        Where proposals are shown.

    Attributes
    ----------
    open : list of Edit
        Proposed and not decided yet, one for each slice.
    job : Job or None
        Looks for proposals.
    shown : Signal
        Slice and place (y, x), or with None the slice alone, to be brought into view.
    noted : Signal
        A sentence for the user.
    """

    shown = Signal(int, object)
    noted = Signal(str)

    def __init__(self, bar: SameFixBar, session: Session, marks: Overlays) -> None:
        self.bar, self.session, self.marks = bar, session, marks
        self.open: list[Edit] = []
        self.job: Job | None = None
        self._taken: list[Edit] = []
        self._edit: Edit | None = None
        self._by_hand = self._looking = self._left_out = self._is_busy = False
        self._timer = delayed(self._search, PAUSE_MS, bar)

    @property
    def is_offered(self) -> bool:
        """Whether there is something to decide on."""
        return bool(self.open)

    def offer(self, edit: Edit, by_hand: bool) -> None:
        """Look for the same fix around an edit that was made.

        Parameters
        ----------
        edit : Edit
        by_hand : bool
            A tool made it. Enter then means the offer; after a decision on the review queue it
            goes on to mean the next item.
        """
        self.drop()
        self._edit, self._by_hand = edit, by_hand
        self._timer.start()

    def give_way(self, is_busy: bool) -> None:
        """Enter means something else as long as the tool in hand shows a preview."""
        if self._is_busy != is_busy:
            self._is_busy = is_busy
            if self.open and not self._looking:
                self._offer()

    def look(self) -> bool:
        """Go to the proposal nearest to the edit; return whether there is one."""
        if not self.open:
            return False
        self._looking = True
        self._ask()
        return True

    def take(self) -> bool:
        """Say yes to the proposal in view, or begin to look; return whether that was meant."""
        if not self._looking:
            return self._by_hand and self.look()
        self._taken.append(self.open.pop(0))
        self._go_on()
        return True

    def leave(self) -> bool:
        """Say no to the proposal in view, or to all before looking; return whether it was meant."""
        if not self._looking:
            return self._by_hand and self.drop()
        self.open.pop(0)
        self._left_out = True
        self._go_on()
        return True

    def take_all(self) -> None:
        """Say yes to all that is open."""
        self._taken += self.open
        self.open = []
        self._go_on()

    def drop(self) -> bool:
        """Make none of the proposals; return whether there was one."""
        was, looked = bool(self.open or self._taken), self._looking
        self._timer.stop()
        if self.job is not None:
            self.job.give_up()
            self.job = None
        origin = self._edit
        self.open, self._taken, self._edit = [], [], None
        self._looking = self._left_out = False
        self.bar.hide()
        self.marks.proposals([])
        if was and looked and origin is not None:
            self.shown.emit(origin.slices[0], None)
        return was

    def stop(self) -> None:
        """Offer nothing any more."""
        self._timer.stop()
        if self.job is not None:
            self.job.give_up(wait=True)
            self.job = None
        self.bar.hide()

    # Helpers -----------------------------------------------------------------

    def _search(self) -> None:
        edit = self._edit
        planes = copied(self.session, edit) if edit is not None else {}
        if edit is None or not planes:
            return
        job = self.job = Job(lambda: same_fixes(planes, edit), "copnet-neighbours")
        job.finished.connect(self._found)
        # Nothing was asked for, so nothing is said.
        job.failed.connect(lambda _: self._found([]))
        job.start()

    def _found(self, found: list[Edit]) -> None:
        self.job = None
        edit = self._edit
        if edit is None or not found:
            return
        middle = (edit.slices[0] + edit.slices[-1]) / 2
        self.open = sorted(found, key=lambda proposal: abs(proposal.slices[0] - middle))
        self.marks.proposals(self.open)
        self._offer()

    def _offer(self) -> None:
        slices = sorted(proposal.slices[0] for proposal in self.open)
        where = named(slices) if len(slices) == 1 else f"{len(slices)} slices"
        if len(slices) > 1:
            where += f" ({_listed(slices)})"
        enter = self._by_hand and not self._is_busy
        how = "press Enter or T to review" if enter else "press T to review"
        self.bar.offer(f"The same fix fits {where}: {how}, Escape to discard.", looking=False)

    def _ask(self) -> None:
        proposal = self.open[0]
        flip = next(proposal.flips)
        patch = flip.patch
        centre = (patch.top + (patch.height - 1) / 2, patch.left + (patch.width - 1) / 2)
        self.shown.emit(patch.z, centre)
        left = len(self.open) - 1
        more = f" {left} more to come." if left else ""
        self.bar.offer(
            f"Slice {patch.z + 1}: make the same fix? Enter for yes, Backspace for no.{more}",
            looking=True,
        )
        self.marks.proposals(self.open)

    def _go_on(self) -> None:
        if self.open:
            self._ask()
            return
        taken, origin, left_out = self._taken, self._edit, self._left_out
        by_hand = self._by_hand
        self.drop()
        if origin is None or not taken:
            return
        edit = together(sorted(taken, key=lambda proposal: proposal.slices[0]))
        self.session.apply(edit)
        count = len(taken)
        self.noted.emit(
            f"The same fix was made in {count} slice{'s' * (count > 1)}; one undo reverts it."
        )
        reach = reach_of(self.session)
        slices = edit.slices
        is_far = origin.slices[0] - slices[0] >= reach or slices[-1] - origin.slices[-1] >= reach
        if is_far and not left_out:
            self.offer(edit, by_hand)


def _listed(slices: list[int]) -> str:
    """Return slices as people write them, such as ``3 to 5, 7``, counted from 1."""
    runs: list[Any] = []
    for z in (at + 1 for at in slices):
        if runs and z == runs[-1][1] + 1:
            runs[-1][1] = z
        else:
            runs.append([z, z])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in runs)
