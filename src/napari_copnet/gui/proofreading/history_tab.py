"""The list of edits of a session, its undo and redo, and its export."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog

from napari_copnet.gui.proofreading.history_export import export_history
from napari_copnet.gui.proofreading.proofreading_form import ProofreadForm
from napari_copnet.gui.widgets.lazy_rows import Rows
from napari_copnet.proofreading.session import Session


class HistoryTab:
    """Shows the edits of a session.

    Parameters
    ----------
    form : ProofreadForm
    session : Session
    """

    def __init__(self, form: ProofreadForm, session: Session) -> None:
        self._form, self._session = form, session
        # Kept here: a view does not keep what it shows.
        self._rows = Rows(
            ("", "Edit"),
            lambda: len(session.history) + 1,
            self._cell,
            lambda row: row > session.history.position,
        )
        for button in (form.undo_button, form.redo_button):
            button.setEnabled(not session.read_only)
        form.history_view.show_rows(self._rows)
        self.renew()

    def renew(self) -> None:
        """Show where the session stands, and what can be undone."""
        history = self._session.history
        self._form.history_view.renew(history.position)
        if not self._session.read_only:
            self._form.undo_button.setEnabled(history.can_undo)
            self._form.redo_button.setEnabled(history.can_redo)

    def export(self) -> str:
        """Ask for a file and write the edits; return its name, empty where none was chosen.

        Raises
        ------
        OutputError
            It can't be written.
        """
        folder = self._session.folder
        path, _ = QFileDialog.getSaveFileName(
            self._form,
            "Export the list of edits",
            str(folder.with_name(f"{folder.name}-edits.csv")),
            "Tables (*.csv);;JSON (*.json)",
        )
        if path:
            export_history(self._session.history, Path(path))
        return Path(path).name if path else ""

    def _cell(self, row: int, column: int) -> str:
        if column == 0:
            return str(row)
        return self._session.history[row - 1].text if row else "As the networks left it"
