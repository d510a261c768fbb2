"""Section 5: the list of models with their cards, import and export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QInputDialog

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.widgets.controls import canvas_button, row
from napari_copnet.gui.widgets.dock_section import DockSection, Mark, quiet_label
from napari_copnet.gui.widgets.lazy_rows import Rows, RowsView
from napari_copnet.networks.model_card import tissue_scores, training_scores
from napari_copnet.networks.model_zip import import_zip
from napari_copnet.networks.package import ModelPackage
from napari_copnet.progress import Progress, Steps
from napari_copnet.teaching import gallery
from napari_copnet.teaching.gallery import GalleryEntry
from napari_copnet.teaching.model_zoo import export_model_zoo

_PURPOSE = "Every model with its card: its origin, training data and scores."
_KINDS = {"contours": "contours", "closing": "closing"}


class ModelsSection(DockSection):
    """The models there are.

    Parameters
    ----------
    compute : callable
        See `background.task_queue.Compute`.

    Attributes
    ----------
    changed : Signal
        A model was adopted, discarded, put back or imported.
    failed : Signal
        A `CopnetError` to be shown.
    noted : Signal
        A sentence to be shown.
    """

    failed = Signal(object)
    noted = Signal(str)
    changed = Signal()

    def __init__(self, compute: Compute) -> None:
        super().__init__(5, "Models", _PURPOSE)
        self._compute = compute
        self.entries: list[GalleryEntry] = []
        self._at = -1
        self.table = RowsView("models", stretched=0)
        self.table.setMinimumHeight(120)
        self.rows = Rows(
            ("Name", "Kind", "Made", "In use"),
            lambda: len(self.entries),
            self._cell,
            lambda at: self.entries[at].shipped,
        )
        self.table.show_rows(self.rows)
        for column, width in ((1, 66), (2, 80), (3, 54)):
            self.table.setColumnWidth(column, width)
        self.table.clicked.connect(lambda index: self.choose(index.row()))
        self.add(self.table)
        self.card = quiet_label()
        self.card.setObjectName("card")
        self.add(self.card)
        self.adopt_button = canvas_button(
            "Adopt", "adopt_chosen", "Make it the “default” of its kind."
        )
        self.discard_button = canvas_button(
            "Discard", "discard_chosen", "Remove it from the list. It can be restored."
        )
        self.restore_button = canvas_button(
            "Restore", "restore", "Restore the model that was discarded last."
        )
        self.add(row(self.adopt_button, self.discard_button, self.restore_button))
        self.folder_button = canvas_button(
            "Export folder …", "export_folder", "Export it as a model folder, for the command line."
        )
        self.zip_button = canvas_button(
            "Export zip …", "export_zip", "Export it as a single file, for sharing."
        )
        self.import_button = canvas_button(
            "Import …", "import_model", "Import a zip made by Export zip."
        )
        self.export_buttons = [self.folder_button, self.zip_button]
        self.add(row(self.folder_button, self.zip_button, self.import_button))
        self.zoo_button = canvas_button(
            "Export for the BioImage Model Zoo …",
            "export_zoo",
            "Export a package for the BioImage Model Zoo.",
        )
        self.export_buttons.append(self.zoo_button)
        self.add(self.zoo_button)
        self._connect()
        self.renew()

    def _connect(self) -> None:
        self.adopt_button.clicked.connect(lambda: self._change(self._adopt))
        self.discard_button.clicked.connect(
            lambda: self._change(lambda: gallery.discard(self._model()))
        )
        self.restore_button.clicked.connect(lambda: self._change(self._restore))
        self.folder_button.clicked.connect(
            lambda: self._export("Export to a folder", "", gallery.export_folder)
        )
        self.zip_button.clicked.connect(
            lambda: self._export("Export to a zip", ".zip", gallery.export_zip)
        )
        self.zoo_button.clicked.connect(lambda: self._export_zoo())
        self.import_button.clicked.connect(lambda: self._import())

    # What the user can do ----------------------------------------------------

    def choose(self, at: int) -> None:
        """Show the card of a model."""
        self._at = at
        self.renew()

    def show_model(self, folder: Path) -> None:
        """Show the card of the model in a folder."""
        self.renew()
        found = [n for n, entry in enumerate(self.entries) if entry.model.folder == folder]
        if found:
            self.choose(found[0])

    def _adopt(self) -> None:
        entry = self.entries[self._at]
        if entry.shipped:
            gallery.adopt_shipped(entry.model.kind)
        else:
            gallery.adopt(entry.model)

    def _restore(self) -> None:
        last = gallery.discarded()
        if not last:
            raise CopnetError(
                "There is no discarded model.", "Only models that you discarded can be restored."
            )
        gallery.restore(last[0].name)

    def _import(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Import a model", "", "Models (*.zip)")
        if path:
            self._change(lambda: import_zip(path))

    def _export_zoo(self) -> None:
        model = self._model()
        authors, given = QInputDialog.getText(
            self, "Export for the BioImage Model Zoo", "Authors of the model (separated by commas):"
        )
        if not given:
            return
        name = str(Path.home() / f"{model.name}-bioimageio.zip")
        path, _ = QFileDialog.getSaveFileName(self, "Export for the BioImage Model Zoo", name)
        if path:
            names = authors.split(",")
            work = self._compute("export", lambda: _zoo(model, Path(path), names))
            work.finished.connect(
                lambda made: self.noted.emit(f"{model.name} was exported to {made.name}.")
            )

    def _export(self, title: str, suffix: str, export: Callable[..., Any]) -> None:
        model = self._model()
        name = str(Path.home() / f"{model.name}{suffix}")
        path, _ = QFileDialog.getSaveFileName(self, title, name)
        if not path:
            return
        try:
            # The dialog has asked whether to replace.
            export(model, Path(path), replace=True)
        except CopnetError as error:
            self.failed.emit(error)
            return
        self.noted.emit(f"{model.name} was exported to {Path(path).name}.")

    def _change(self, act: Callable[[], Any]) -> None:
        try:
            act()
        except CopnetError as error:
            self.failed.emit(error)
        self.renew()
        self.changed.emit()

    # Keeping it true ---------------------------------------------------------

    def renew(self) -> None:
        """List the models as they are now."""
        chosen = self.entries[self._at].model.folder if 0 <= self._at < len(self.entries) else None
        self.entries = gallery.entries()
        folders = [entry.model.folder for entry in self.entries]
        self._at = folders.index(chosen) if chosen in folders else len(folders) - 1
        self.table.renew(self._at)
        entry = self.entries[self._at] if self.entries else None
        self.card.setText(card_text(entry) if entry is not None else "")
        self.adopt_button.setEnabled(entry is not None and not entry.adopted)
        self.discard_button.setEnabled(entry is not None and not entry.shipped)
        self.restore_button.setEnabled(bool(gallery.discarded()))
        for button in self.export_buttons:
            button.setEnabled(entry is not None)
        own = sum(not one.shipped for one in self.entries)
        self.tell(
            Mark.READY, _PURPOSE, f"{own} of your own." if own else "No models of your own yet."
        )

    def _model(self) -> Any:
        return self.entries[self._at].model

    def _cell(self, at: int, column: int) -> str:
        entry = self.entries[at]
        return (
            entry.model.name,
            _KINDS[entry.model.kind],
            entry.created[:10],
            "✓" if entry.adopted else "",
        )[column]


def card_text(entry: GalleryEntry) -> str:
    """Return what a model's card says, for people."""
    card = entry.model.card
    lines = [f"{entry.model.name}: {entry.text}" if entry.text else entry.model.name]
    if known := training_scores(card):
        lines.append("Scores: " + ", ".join(known) + ".")
    lines += [f"Labelled: {one}." for one in tissue_scores(card) if one.knows == "never saw it"]
    data = ", ".join(entry.model.data)
    if data:
        lines.append("Data: " + (data[:157] + " …" if len(data) > 160 else data) + ".")
    if card.get("seconds"):
        lines.append(f"Trained for {float(card['seconds']) / 60:.0f} min on {card.get('device')}.")
    if card.get("licence"):
        lines.append(f"Licence: {card['licence'].rstrip('.')}.")
    return "\n".join(lines)


def _zoo(model: ModelPackage, path: Path, authors: list[str]) -> Steps[Path]:
    """Write the package as a step: its example is computed by the network."""
    yield Progress("export", 0, 1, "files")
    export_model_zoo(model, path, authors=authors, replace=True)
    yield Progress("export", 1, 1, "files")
    return path
