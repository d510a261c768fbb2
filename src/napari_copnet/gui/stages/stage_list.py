"""Which stages there are, in the order of work."""

from __future__ import annotations

from collections.abc import Callable

from napari_copnet.gui.stages.correct_stage import CorrectStage
from napari_copnet.gui.stages.export_stage import ExportStage
from napari_copnet.gui.stages.measure_stage import MeasureStage
from napari_copnet.gui.stages.open_stage import OpenStage
from napari_copnet.gui.stages.panels import Panels
from napari_copnet.gui.stages.segment_stage import SegmentStage
from napari_copnet.gui.stages.stage import Stage, Step
from napari_copnet.gui.stages.teach_stage import TeachStage

# Each makes a stage of the panels that stages share. To add one is to add it here.
STAGES: tuple[Callable[[Panels], Stage], ...] = (
    OpenStage,
    SegmentStage,
    CorrectStage,
    MeasureStage,
    ExportStage,
    TeachStage,
)


def next_step(stages: list[Stage], current: Stage, go: Callable[[Stage], None]) -> Step:
    """Return what is to be done next.

    Parameters
    ----------
    stages : list of Stage
        In the order of work.
    current : Stage
        The one at work.
    go : callable
        Unfolds a stage and does what its invitation promises.
    """
    step = current.step()
    if step is not None:
        return step
    on_the_way = [stage for stage in stages if not stage.is_beside]
    if not current.is_beside:
        on_the_way = on_the_way[on_the_way.index(current) + 1 :]
    following = next((stage for stage in on_the_way if stage.waits()), stages[0])
    return Step(following.invitation, lambda: go(following))
