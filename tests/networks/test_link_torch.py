"""PyTorch's library is linked in advance, and PyTorch works as ever."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from napari_copnet.networks.link_torch import link_torch
print(link_torch(), "torch" in sys.modules)
import torch
print(torch.ones(2).sum().item(), link_torch())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems link in other ways")
def test_the_library_is_linked_before_the_import():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=250, check=False
    )
    assert done.stdout.split() == ["True", "False", "2.0", "True"], done.stderr[-2000:]
