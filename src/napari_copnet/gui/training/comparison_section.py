"""Section 4: the new model beside the old one, and whether it was adopted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import QComboBox, QLabel, QPushButton

from napari_copnet.errors import CopnetError
from napari_copnet.gui.background.jobs import free_cores
from napari_copnet.gui.background.task_queue import Compute
from napari_copnet.gui.training.compared_models import ComparedModels
from napari_copnet.gui.training.project_link import ProjectLink
from napari_copnet.gui.viewer.dock_places import give_room
from napari_copnet.gui.widgets.ask_twice import AskTwice
from napari_copnet.gui.widgets.controls import canvas_button, named, quiet, row
from napari_copnet.gui.widgets.dock_section import DockSection, Mark
from napari_copnet.gui.widgets.lazy_rows import Rows, RowsView
from napari_copnet.gui.widgets.model_picker import DevicePicker
from napari_copnet.networks.package import ModelPackage
from napari_copnet.params import DeviceParams
from napari_copnet.teaching import gallery
from napari_copnet.teaching.model_comparison import Comparison, comparable_slices, compare

_PURPOSE = "Both models are applied to the held-out slices and scored against your contours."
_NAMES = {
    "labelled": "cells correct",
    "merged": "cells merged",
    "split": "cells split",
    "nsd": "contour distance (NSD)",
    "cldice": "contour topology (clDice)",
}
# Of these the less the better.
_ERRORS = ("merged", "split")


class CompareSection(DockSection):
    """Compare two models, look at both, adopt or discard the new one.

    Parameters
    ----------
    viewer : napari.Viewer
    link : ProjectLink
    compute : callable
        See `background.task_queue.Compute`; it tells the user what goes wrong.
    device : DevicePicker
        The device that was chosen for training.

    Attributes
    ----------
    comparison : Comparison or None
    decided : Signal
        A model was adopted or discarded.
    failed : Signal
        A `CopnetError` to be shown.
    """

    failed = Signal(object)
    decided = Signal()

    def __init__(
        self,
        viewer: Any,
        link: ProjectLink,
        compute: Compute,
        device: DevicePicker,
    ) -> None:
        super().__init__(4, "Before and after", _PURPOSE)
        self._link, self._compute, self._device = link, compute, device
        self.comparison: Comparison | None = None
        self._models: tuple[ModelPackage, ModelPackage] | None = None
        self._busy = False
        self.old = named(QComboBox(), "old_model", "The model to compare with.")
        self.new = named(QComboBox(), "new_model", "The new model.")
        self.add(row(QLabel("Old"), self.old))
        self.add(row(QLabel("New"), self.new))
        self.compare_button = canvas_button(
            "Compare", "compare", "Score both models on the held-out slices."
        )
        self.side_button: QPushButton = canvas_button(
            "Side by side", "both", "The old model's contours on the left, the new one's right."
        )
        self.side_button.setCheckable(True)
        self.add(row(self.compare_button, self.side_button))
        self.table = RowsView("scores", stretched=0)
        self.table.setFixedHeight(136)
        self.rows = Rows(
            ("On held-out slices", "Old", "New", "Gain"),
            lambda: len(self._scores()),
            self._cell,
        )
        self.table.show_rows(self.rows)
        for column in (1, 2, 3):
            self.table.setColumnWidth(column, 62)
        self.add(self.table)
        self.adopt_button = canvas_button(
            "Adopt the new model",
            "adopt",
            "Make it the “default” in every window and on the command line.",
        )
        self._sure = AskTwice(self.adopt_button)
        self.discard_button = canvas_button(
            "Discard it", "discard", "Remove it from the list. You can restore it under Models."
        )
        self.add(row(self.adopt_button, self.discard_button))
        self.compared_models = ComparedModels(viewer, lambda: self.side_button.setChecked(False))
        self.compare_button.clicked.connect(lambda: self.start())
        self.side_button.toggled.connect(self._on_side)
        self.adopt_button.clicked.connect(lambda: self.adopt())
        self.discard_button.clicked.connect(lambda: self.discard())
        for picker in (self.old, self.new):
            picker.currentIndexChanged.connect(self._on_models)
        link.changed.connect(self._on_project)
        self.list_models()

    # What the user can do ----------------------------------------------------

    def offer(self, old: ModelPackage | None, new: ModelPackage) -> None:
        """Choose a new model and its parent, and compare them where that can be done."""
        self.list_models()
        with quiet(self.old), quiet(self.new):
            self.new.setCurrentIndex(self._at(self.new, new))
            self._list_old()
            if old is not None:
                self.old.setCurrentIndex(self._at(self.old, old))
        self._on_models()
        project = self._link.project
        if project is not None and old is not None and comparable_slices(project, old, new):
            self.start()

    def start(self) -> None:
        """Score both models."""
        project, models = self._link.project, self._chosen()
        if project is None or models is None or self._busy:
            return
        self.side_button.setChecked(False)
        self.comparison, self._busy = None, True
        device = DeviceParams(device=self._device.value, threads=free_cores())

        def take(result: Comparison) -> None:
            self._busy = False
            if self._chosen() == models:
                self.comparison, self._models = result, models
            self.renew()

        def failed(_: CopnetError) -> None:
            self._busy = False
            self.renew()

        work = self._compute("compare", lambda: compare(project, *models, device=device))
        work.finished.connect(take)
        work.failed.connect(failed)
        self.renew()

    def adopt(self) -> None:
        """Let `default` mean the new model; ask, where nothing says that it is better."""
        models = self._chosen()
        if models is None:
            return
        if self.comparison is None:
            question = "Adopt without comparison?"
        elif not self.comparison.is_better:
            question = "Adopt though not better?"
        else:
            question = ""
        if not question or self._sure.is_sure(question):
            self._decide(lambda: gallery.adopt(models[1]), f"{models[1].name} was adopted.")

    def discard(self) -> None:
        """Take the new model from the gallery."""
        models = self._chosen()
        if models is not None:
            self._decide(lambda: gallery.discard(models[1]), f"{models[1].name} was discarded.")

    def stop(self) -> None:
        """Stop in a window that is going."""
        self.compared_models.shut_down()

    # Keeping it true ---------------------------------------------------------

    def list_models(self) -> None:
        """Offer the models there are."""
        found = gallery.entries()
        own = [entry.model for entry in found if not entry.shipped]
        before = self.new.currentData()
        with quiet(self.new), quiet(self.old):
            self.new.clear()
            for model in own:
                self.new.addItem(model.name, model)
            at = self._at(self.new, before)
            self.new.setCurrentIndex(at if at >= 0 else self.new.count() - 1)
            self._list_old()
        self._on_models()

    def renew(self) -> None:
        """Say what was found."""
        models, project = self._chosen(), self._link.project
        can = models is not None and project is not None and not self._busy
        self.compare_button.setEnabled(can)
        self.side_button.setEnabled(self.comparison is not None)
        self.adopt_button.setEnabled(models is not None and not self._busy)
        self.discard_button.setEnabled(models is not None and not self._busy)
        self.table.setVisible(self.comparison is not None)
        self.rows.renew()
        if self._busy:
            self.tell(Mark.RUNNING, "Running both models …")
        elif self.comparison is not None:
            better = self.comparison.is_better
            then = "Next: adopt it." if better else "Annotate more slices, or discard it."
            self.tell(Mark.DONE, self.comparison.text, then)
        elif models is None:
            self.tell(Mark.WAITING, _PURPOSE, "Needs a model that you trained.")
        elif project is None:
            self.tell(Mark.WAITING, _PURPOSE, "Needs a session with slices that are done.")
        else:
            self.tell(Mark.READY, _PURPOSE)

    def _chosen(self) -> tuple[ModelPackage, ModelPackage] | None:
        old, new = self.old.currentData(), self.new.currentData()
        return (old, new) if old is not None and new is not None else None

    def _list_old(self) -> None:
        new, before = self.new.currentData(), self.old.currentData()
        self.old.clear()
        parent = ""
        if new is not None:
            for entry in gallery.entries(new.kind):
                if entry.model.folder != new.folder:
                    self.old.addItem(entry.model.name, entry.model)
            known = new.card.get("parent")
            parent = known.get("sha256", "") if isinstance(known, dict) else ""
        at = self._at(self.old, before)
        for number in range(self.old.count()):
            if parent and self.old.itemData(number).sha256 == parent:
                at = number
        self.old.setCurrentIndex(max(at, 0) if self.old.count() else -1)

    @staticmethod
    def _at(picker: QComboBox, model: ModelPackage | None) -> int:
        folders = [picker.itemData(number).folder for number in range(picker.count())]
        return folders.index(model.folder) if model is not None and model.folder in folders else -1

    def _on_models(self) -> None:
        if self.sender() is self.new:
            with quiet(self.old):
                self._list_old()
        if self._models != self._chosen():
            self.side_button.setChecked(False)
            self.comparison = self._models = None
            self._sure.forget()
        self.renew()

    def _on_project(self) -> None:
        self.side_button.setChecked(False)
        self.comparison = self._models = None
        self.renew()

    def _on_side(self, on: bool) -> None:
        controller, project = self._link.controller, self._link.project
        if not on:
            self.compared_models.close()
        elif (
            self.comparison is not None
            and self._models is not None
            and controller is not None
            and project is not None
        ):
            names = (self._models[0].name, self._models[1].name)
            self.compared_models.open(
                self.comparison, project.shape, controller.layers.arguments, names
            )
        # Docks that make room change places: this one stays in front.
        QTimer.singleShot(400, self._come_forward)

    def _come_forward(self) -> None:
        # Closed meanwhile, perhaps.
        with contextlib.suppress(RuntimeError):
            give_room(self, self._link.dock)

    def _decide(self, act: Callable[[], Any], said: str) -> None:
        self.side_button.setChecked(False)
        try:
            act()
        except CopnetError as error:
            self.failed.emit(error)
            return
        self.decided.emit()
        self.tell(Mark.DONE, said, "The next run uses it as “default”.")

    def _scores(self) -> list[dict[str, Any]]:
        return self.comparison.rows() if self.comparison is not None else []

    def _cell(self, at: int, column: int) -> str:
        scores = self._scores()[at]
        name = str(scores["name"])
        if column == 0:
            return _NAMES.get(name, name)
        if column == 3:
            gain = 100 * scores["gain"]
            better = gain < 0 if name in _ERRORS else gain > 0
            sign = "▲" if better else "▼" if abs(gain) >= 0.05 else ""
            return f"{gain:+.1f} {sign}"
        return f"{100 * scores['old' if column == 1 else 'new']:.1f} %"
