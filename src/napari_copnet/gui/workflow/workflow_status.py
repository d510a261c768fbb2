"""What the sections of the dock say: what each stage needs, did, and what comes next."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_copnet.gui.widgets.dock_section import DockSection, Mark
from napari_copnet.gui.widgets.pace import duration
from napari_copnet.gui.workflow.disk_layers import DiskLayers
from napari_copnet.gui.workflow.result_layers import ResultLayers
from napari_copnet.gui.workflow.run_stages import (
    STAGES,
    Contours,
    IterationSlices,
    ShownCells,
    ShownClosed,
    close_early,
)
from napari_copnet.params import Settings
from napari_copnet.pipeline import RunResult
from napari_copnet.progress import Progress, Steps
from napari_copnet.store.memory import MemoryStore
from napari_copnet.types import Cells, Preprocessed
from napari_copnet.verdict.types import AMBER, RED

_STAGE_OF = {
    Preprocessed: "preprocess",
    Contours: "contours",
    ShownClosed: "closing",
    ShownCells: "cells",
}
_GROUPS = {
    "preprocess": ("preprocess",),
    "contours": ("contours", "device"),
    "closing": ("closing", "device"),
    "cells": ("cells",),
}
_PURPOSE = {
    "preprocess": "Normalises grey values, resizes slices and aligns them.",
    "closing": "A second network closes gaps in the contours, step by step.",
    "cells": "Each region enclosed by contours becomes a cell.",
}
_NEEDS = {
    "preprocess": "Needs a stack.",
    "contours": "Needs the preprocessed stack.",
    "closing": "Needs the contour probability.",
    "cells": "Needs closed contours.",
}


@dataclass
class ImageRun:
    """An image layer that was run, and its results.

    Attributes
    ----------
    layer : napari.layers.Image
        Held as an object: its name may change, and it may be deleted.
    layers : ResultLayers or DiskLayers
        The layers of its results.
    store : MemoryStore
        Results of finished stages of runs in memory.
    done : dict of str to tuple
        The settings with which each finished stage ran.
    said : dict of str to str
        What each stage did, in words.
    result : RunResult or None
        Of the last run that reached the end.
    settings : Settings or None
        Of that run.
    cells : Cells or None
        With the numbers of those in the stack; None where they were not counted.
    changed : list of (int, float)
        Closing iteration, and share of pixels it changed, 0 to 1.
    iteration : int or None
        Position along the iteration axis that was last in view.
    folder : Path or None
        Where a run on disk works and its results are; None for one in memory.
    given : napari.layers.Image or None
        The layer whose contour probability took the place of Step 1.
    """

    layer: Any
    layers: ResultLayers | DiskLayers
    store: MemoryStore = field(default_factory=MemoryStore)
    done: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    result: RunResult | None = None
    settings: Settings | None = None
    cells: Cells | None = None
    changed: list[tuple[int, float]] = field(default_factory=list)
    iteration: int | None = None
    folder: Path | None = None
    given: Any = None
    # Ways on that were gone after a run that looks wrong.
    tried: set[str] = field(default_factory=set)

    @property
    def light(self) -> str:
        """Light of the verdict on the last run, as of `verdict.types`; empty without one."""
        verdict = None if self.result is None else self.result.verdict
        return "" if verdict is None else verdict.light

    def left_over(self, settings: Settings) -> tuple[int, Callable[[], Steps[None]]] | None:
        """Return what a cancelled run leaves: its last complete iteration.

        Its number, and the work that makes contours and cells of it; None where closing had not
        begun, or was done.
        """
        last, ready = self.layers.last_iteration, self.layers.preprocessed
        if not last or last[0] == 0 or ready is None or self.is_done("closing", settings):
            return None
        number, probability, step1 = last
        start = step1 if settings.closing.unite else None
        return number, lambda: close_early(ready, probability, start, settings.cells)

    def notes(self, viewer: Any) -> list[str]:
        """Return what to tell of its layers after a run."""
        gone = "The image layer was deleted in the meantime; its results are kept."
        return [*self.layers.notes, *([] if self.layer in viewer.layers else [gone])]

    def is_done(self, stage: str, settings: Settings) -> bool:
        """Whether a stage has finished with these settings."""
        return self.done.get(stage) == parts(settings, stage)


class WorkflowStatus:
    """Keeps what the sections say true.

    Parameters
    ----------
    sections : dict of str to Section
        By stage.
    """

    def __init__(self, sections: dict[str, Any]) -> None:
        self.sections = sections
        self._settings = Settings()
        self._start: dict[str, float] = {}

    def begin(self, source: ImageRun, settings: Settings, until: str) -> None:
        """A run starts."""
        self._settings, self._start = settings, {}
        for stage in stale_stages(source, settings, until):
            # Whatever comes of it, what was done before is no longer behind the layers.
            source.done.pop(stage, None)
            self.sections[stage].tell(Mark.WAITING, "Waiting.")

    def news(self, source: ImageRun, news: list[Progress], early: bool = False) -> None:
        """A run goes on; `early` for what a cancelled run leaves behind."""
        now = time.monotonic()
        for progress in news:
            stage = "preprocess" if progress.step == "sizes" else progress.step
            section = self.sections.get(stage)
            if section is not None and progress.step not in self._start:
                self._start[progress.step] = now
                if progress.unit:
                    section.tell(Mark.RUNNING, "Running …")
            if isinstance(progress.partial, ShownCells):
                source.cells = progress.partial.there
            if isinstance(progress.partial, IterationSlices):
                self._iteration(source, progress.partial)
            elif type(progress.partial) in _STAGE_OF:
                self._stage(source, progress.partial, now, early)

    def _iteration(self, source: ImageRun, iteration: IterationSlices) -> None:
        if iteration.number == 1:
            source.changed.clear()
        if iteration.number:
            source.changed.append((iteration.number, iteration.changed))
            did = "closed likely gaps:" if iteration.likely_gaps else "changed"
            self.sections["closing"].tell(
                Mark.RUNNING,
                f"Iteration {iteration.number} {did} {percent(iteration.changed)} of the pixels.",
            )

    def _stage(self, source: ImageRun, partial: Any, now: float, early: bool) -> None:
        stage = _STAGE_OF[type(partial)]
        section = self.sections[stage]
        if not source.is_done(stage, self._settings):
            said = section.did(partial)
            took = now - self._start.get(stage, now)
            source.said[stage] = f"{said} Took {duration(took)}." if took >= 1 else said
            if not early:
                source.done[stage] = parts(self._settings, stage)
        section.tell(Mark.DONE, source.said[stage], _next(section, source))

    def failed(self) -> None:
        """A run ended with an error."""
        for section in self.sections.values():
            if section.mark is Mark.RUNNING:
                section.tell(Mark.FAILED, "Stopped by an error: see below.")

    def refresh(
        self, source: ImageRun | None, has_image: bool, settings: Settings | None, given: Any
    ) -> None:
        """Nothing runs: say of each stage whether it is done, and whether settings changed.

        `given` is the layer that is chosen in place of Step 1.
        """
        stale = source is not None and source.given is not given
        for stage, section in self.sections.items():
            said = source.said.get(stage) if source is not None else None
            if source is None or said is None:
                _invite(section, has_image)
                continue
            ran = stage in source.done
            stale = (
                stale or not ran or (settings is not None and not source.is_done(stage, settings))
            )
            if not stale:
                _tell_done(section, said, source)
            else:
                why = (
                    "Settings changed: will run again." if ran else "Not finished: will run again."
                )
                section.tell(Mark.CHANGED, said, why)


def stale_stages(source: ImageRun, settings: Settings, until: str) -> tuple[str, ...]:
    """Return the stages up to `until` that are not done with these settings."""
    asked = STAGES[: STAGES.index(until) + 1]
    first = next((n for n, s in enumerate(asked) if not source.is_done(s, settings)), len(asked))
    return asked[first:]


def parts(settings: Settings, stage: str) -> tuple[Any, ...]:
    """Return the settings that a stage depends on, besides those of the stages before."""
    return tuple(getattr(settings, group) for group in _GROUPS[stage])


# What the last step says of a run that is not to be trusted: sign and words.
_DOUBTS = {
    RED: (Mark.FAILED, "The run looks wrong: see the verdict below."),
    AMBER: (Mark.DOUBTFUL, "The run is doubtful: see the verdict below."),
}


def _tell_done(section: DockSection, said: str, source: ImageRun) -> None:
    """Say what a step did; no step of a run that looks wrong has the sign of one that went well."""
    if source.light not in _DOUBTS:
        section.tell(Mark.DONE, said, _next(section, source))
    elif section.stage == STAGES[-1]:
        mark, doubt = _DOUBTS[source.light]
        section.tell(mark, said, doubt)
    else:
        section.tell(Mark.RAN, said)


def _next(section: Any, source: ImageRun) -> str:
    on_disk = source.folder is not None
    return getattr(section, "next_on_disk", section.next) if on_disk else section.next


def percent(share: float) -> str:
    """Return a share for people, such as ``0.05 %``."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def _invite(section: DockSection, has_image: bool) -> None:
    purpose = getattr(section, "purpose", "") or _PURPOSE[section.stage]
    if has_image and section.stage == "preprocess":
        section.tell(Mark.READY, purpose)
    else:
        mark = Mark.READY if has_image else Mark.WAITING
        section.tell(mark, purpose, _NEEDS[section.stage])
