"""What a run needs is loaded when the dock opens, not in the midst of the first run."""

import subprocess
import sys
import threading

import pytest

from napari_copnet.gui.background import preload

SCRIPT = """
import sys
import napari
from benchmarks.bench_dock import until, wait
from napari_copnet.gui.background.preload import is_loading, preload
viewer = napari.Viewer(show=False)
before = "torch" in sys.modules
_, panel = viewer.window.add_plugin_dock_widget("napari-copnet", "COp-Net")
at_once = "torch" in sys.modules
until(lambda: "torch" in sys.modules, 60)
until(lambda: not is_loading(), 120)
again = preload()
print(before, at_once, again.is_alive(), "dynamic_network_architectures" in sys.modules)
viewer.close()
"""


@pytest.mark.slow
def test_opening_the_dock_loads_the_networks_library_once():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=250, check=False
    )
    assert done.stdout.split()[-4:] == ["False", "False", "False", "True"], done.stderr[-2000:]


ENDING = """
import threading
import time
from napari_copnet.gui.background import preload
from napari_copnet.networks.nnunet import Network

begun = threading.Event()

def load(*_):
    print("loading", flush=True)
    begun.set()
    time.sleep(0.5)
    print("loaded", flush=True)
    return Network

def predict(*_):
    print("predicting", flush=True)

Network.load, Network.predict = load, predict
preload.preload()
begun.wait(60)
print("ending", flush=True)
"""


@pytest.mark.slow
def test_a_program_that_ends_meanwhile_waits_for_the_library_and_no_longer():
    done = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.stdout.split() == ["loading", "ending", "loaded"], done.stderr[-2000:]
    assert done.returncode == 0


def test_loading_rests_while_the_user_waits_for_something_else(monkeypatch):
    done = []
    steps = ["_labels", "_stages", "_link", "_libraries", "_network", "_cut"]
    for name in steps:
        monkeypatch.setattr(preload, name, lambda name=name: done.append(name))
    preload.hold(True)
    thread = threading.Thread(target=preload._load)
    thread.start()
    thread.join(0.6)
    assert thread.is_alive() and done == ["_labels"]
    preload.hold(False)
    thread.join(20)
    assert done == steps


IMPORTS = """
import sys
from napari_copnet.gui.background import preload
preload._link()
preload._libraries()
before = set(sys.modules)
preload._network()
later = [name for name in sys.modules if name not in before and name.startswith("torch.")]
print(len(later))
"""


def test_the_libraries_of_a_network_are_imported_before_it_is_made():
    """While they are imported the window may have them rest; not so afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, timeout=250, check=False
    )
    assert int(done.stdout) < 60, done.stderr[-2000:]
