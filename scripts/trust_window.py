"""The window: runs are cancelled, layers change under them and docks close at random moments."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from trust_inputs import Counts, counted

# What stands in for networks in the tests of the window.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gui"))
SECONDS, PATIENCE = 1.0, 20.0


def stopped_runs(folder: Path, count: int, seed: int) -> Counts:
    """Cancel or close a run in the window at random; it ends at once, and nothing is raised."""
    os.environ["NAPARI_COPNET_MODELS"] = str(folder / "models")
    os.environ["NAPARI_CONFIG"] = str(folder / "napari.yaml")
    (folder / "tour-seen").touch()
    import napari
    from fake_networks import FakeModels, fake_model, judged_good

    from napari_copnet import pipeline, run_steps

    pipeline.find_model = fake_model
    run_steps.judge = judged_good
    raised: list[str] = []
    chance = random.Random(seed)
    window = _Window(napari.Viewer(show=False), FakeModels(pause=0.004), chance)
    # napari shows errors of what Qt calls, and goes on.
    sys.excepthook = lambda kind, error, _: raised.append(f"{kind.__name__}: {error}")
    for _ in range(2):
        # Runs to the end, which compile what is compiled once.
        window.begin()
        window.until(window.is_idle, 10 * PATIENCE)
    times: list[float] = []
    files = [0]

    def one(number: int) -> str:
        raised.clear()
        window.begin()
        window.wait(chance.uniform(0, 0.5))
        for _ in range(chance.randint(0, 2)):
            window.change()
            window.wait(chance.uniform(0, 0.05))
        how = window.stop()
        # Of this process: what else the machine has to do is no fault of the window.
        began = time.process_time()
        ended = window.until(window.is_idle)
        times.append(time.process_time() - began)
        left = [t.name for t in threading.enumerate() if t.name.startswith("copnet")]
        if number == 20:
            files[0] = psutil.Process().num_fds()
        if raised:
            return f"{how}: {raised[0]}"
        if not ended or left:
            return f"{how}: {left or 'a run'} still there after {times[-1]:.1f} s"
        return f"{how}: took {times[-1]:.1f} s" if times[-1] > SECONDS else ""

    found = counted(count, one)
    more = psutil.Process().num_fds() - files[0] if found[0] > 21 else 0
    slowest = np.quantile(times, 0.99) if times else 0.0
    print(f"    the slowest hundredth took {slowest:.3f} s of work; {more} files more")
    window.close()
    return found if more < 10 else (found[0], 0, found[0])


class _Window:
    """A window with the dock of a run, and somebody who changes his mind.

    Parameters
    ----------
    viewer : napari.Viewer
    models : FakeModels
    chance : random.Random
    """

    def __init__(self, viewer: Any, models: Any, chance: random.Random) -> None:
        self.viewer, self.models, self.chance = viewer, models, chance
        self.panel: Any = None

    def begin(self) -> None:
        """Have a stack and a dock, and press Run."""
        from fake_networks import made_image
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        from napari_copnet.gui.workflow.workflow_panel import WorkflowPanel

        if self.panel is None:
            self.panel = WorkflowPanel(self.viewer, load=self.models)
            self.viewer.window.add_dock_widget(self.panel, name="COp-Net")
            rows = self.panel.sections["preprocess"].form.rows
            rows["size"].value, rows["align"].value, rows["invert"].value = 0, False, "no"
        self.viewer.layers.clear()
        self.image = self.viewer.add_image(made_image(), name="stack")
        self.until(self.panel.run_controls.run_button.isEnabled)
        QTest.mouseClick(self.panel.run_controls.run_button, Qt.MouseButton.LeftButton)

    def change(self) -> None:
        """Do something to a layer that a run reads or writes."""
        layers = self.viewer.layers
        if not len(layers):
            return
        layer = self.chance.choice([*layers])
        kind = self.chance.randrange(5)
        if kind == 0:
            layers.remove(layer)
        elif kind == 1:
            layer.name = f"renamed {self.chance.random()}"
        elif kind == 2:
            layer.visible = not layer.visible
        elif kind == 3 and self.image in layers:
            self.image.data = np.roll(np.asarray(self.image.data), 1, axis=1)
        else:
            layers.move(layers.index(layer), 0)

    def stop(self) -> str:
        """Cancel, close the dock, or remove all layers; return which."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        how = self.chance.choice(["cancelled", "cancelled", "dock closed", "layers cleared"])
        controls = self.panel.run_controls
        if how == "dock closed":
            self.viewer.window.remove_dock_widget(self.panel)
            self.panel = None
            return how
        if how == "layers cleared":
            self.viewer.layers.clear()
        if controls.cancel_button.isEnabled() and not controls.cancel_button.isHidden():
            QTest.mouseClick(controls.cancel_button, Qt.MouseButton.LeftButton)
        return how

    def is_idle(self) -> bool:
        """Whether no run and no thread of one is there."""
        from napari_copnet.gui.background.jobs import threads_alive

        return (self.panel is None or self.panel.job is None) and not threads_alive()

    def wait(self, seconds: float) -> None:
        """Let the window work for some time."""
        self.until(lambda: False, seconds)

    def until(self, holds: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Let the window work until something holds; return whether it does."""
        from qtpy.QtCore import QCoreApplication, QEvent
        from qtpy.QtWidgets import QApplication

        end = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > end:
                return False
            QApplication.processEvents()
            # an event loop does this too; sliders that napari throws away would pile up
            QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
            time.sleep(0.002)
        return True

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()
        self.wait(0.1)
