"""The save status of edits, and updates of a window that is read-only."""

from __future__ import annotations

from qtpy.QtCore import QTimer

from napari_copnet.errors import CopnetError
from napari_copnet.gui.proofreading.proofreading_form import ProofreadForm
from napari_copnet.gui.widgets.colours import colour
from napari_copnet.proofreading.session import Session

SAVED_MS = 150
# How often a window that only looks asks for what the other one has made.
FOLLOW_MS = 700


class SaveStatus:
    """Looks at the journal of an open session from time to time.

    Parameters
    ----------
    form : ProofreadForm
        Where the status is shown.
    session : Session
    """

    def __init__(self, form: ProofreadForm, session: Session) -> None:
        self.form, self.session = form, session
        self._saved = QTimer(form)
        self._saved.setInterval(SAVED_MS)
        self._saved.timeout.connect(self.tell)
        self._saved.start()
        self._follower = QTimer(form)
        self._follower.setInterval(FOLLOW_MS)
        self._follower.timeout.connect(self._follow)
        if session.read_only:
            self._follower.start()

    def stop(self) -> None:
        """Look no more."""
        self._saved.stop()
        self._follower.stop()

    def tell(self) -> None:
        """Show whether every edit is on the disk."""
        session, label = self.session, self.form.saved
        if session.read_only:
            state, shade, tip = "read-only", colour("ask"), session.notice
        elif session.problem:
            state, shade, tip = (
                "not saved",
                colour("wrong"),
                f"The last edits could not be saved; trying again. {session.problem}.",
            )
        elif not session.is_saved:
            state, shade, tip = "saving …", colour("now"), "The last edits are being written."
        else:
            state, shade, tip = "saved", colour("done"), "Every edit is saved on disk."
        text = f"<span style='color:{shade}'>● {state}</span>"
        if label.text() != text:
            label.setText(text)
        label.setToolTip(tip)

    def _follow(self) -> None:
        """Show what the window that has the session open for editing has made."""
        try:
            self.session.follow()
        except CopnetError as error:
            self._follower.stop()
            self.form.message.error(error)
