"""A run that is killed at any moment goes on where it was, and gives what it would have given."""

import json
import os
import random
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile

KILLS = 8


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_that_is_killed_again_and_again_gives_the_same(tmp_path, tiny_models):
    rng = np.random.default_rng(0)
    image = np.full((20, 48, 48), 180.0)
    image[:, ::12] = image[:, :, ::12] = 60
    stack = tmp_path / "stack.tif"
    tifffile.imwrite(stack, np.clip(image + rng.normal(0, 9, image.shape), 1, 255).astype(np.uint8))
    command = [
        sys.executable, "-m", "napari_copnet", "run", str(stack), "--size", "48", "--device", "cpu",
        "--contour-model", str(tiny_models["contours"]),
        "--closing-model", str(tiny_models["closing"]), "--max-iterations", "4", "--json", "--out",
    ]  # fmt: skip

    def start(out):
        return subprocess.Popen([*command, str(out)], stdout=subprocess.PIPE, text=True)

    began = time.monotonic()
    answer, _ = start(tmp_path / "whole").communicate()
    length = time.monotonic() - began
    whole = json.loads(answer)
    killed = 0
    chance = random.Random(1)
    for _ in range(KILLS):
        process = start(tmp_path / "killed")
        time.sleep(chance.uniform(0.4, 1.0) * length)
        if process.poll() is None:
            killed += 1
            process.kill()
        else:
            # It was done: the next begins anew.
            shutil.rmtree(tmp_path / "killed")
        process.communicate()
    assert killed > KILLS // 4
    process = start(tmp_path / "killed")
    answer, _ = process.communicate()
    assert process.returncode == 0
    resumed = json.loads(answer)
    for name in ("cells", "changed", "iterations_by_slice", "certainty", "key"):
        assert resumed[name] == whole[name]
    for name in ("contours", "closed", "cells"):
        one, other = (tifffile.imread(tmp_path / which / f"{name}.tif") for which in
                      ("whole", "killed"))  # fmt: skip
        np.testing.assert_array_equal(one, other)
    # Nothing half written is left.
    assert not [name for name in os.listdir(tmp_path / "killed") if name.startswith(".writing")]
