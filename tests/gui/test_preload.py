"""What a run needs is loaded when the dock opens, not in the midst of the first run."""

import subprocess
import sys

SCRIPT = """
import sys
import napari
from napari_copnet.gui.bench import until, wait
from napari_copnet.gui.preload import is_loading, preload
viewer = napari.Viewer(show=False)
before = "torch" in sys.modules
_, panel = viewer.window.add_plugin_dock_widget("napari-copnet", "COp-Net workflow")
at_once = "torch" in sys.modules
until(lambda: "torch" in sys.modules, 60)
until(lambda: not is_loading(), 120)
again = preload()
print(before, at_once, again.is_alive(), "dynamic_network_architectures" in sys.modules)
viewer.close()
"""


def test_opening_the_dock_loads_the_networks_library_once():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=250, check=False
    )
    assert done.stdout.split()[-4:] == ["False", "False", "False", "True"], done.stderr[-2000:]
