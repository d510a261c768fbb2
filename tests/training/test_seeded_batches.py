"""Batches are drawn by their seeds alone, also where two loaders make some at the same time."""

import random
import time

import numpy as np
import torch

from napari_copnet.training.nnunet_trainer_data import SeededLoader


class Slow:
    """A loader that draws from all global generators, and rests in between."""

    def generate_train_batch(self):
        drawn = []
        for _ in range(6):
            drawn += [random.random(), float(np.random.random()), float(torch.rand(()))]  # noqa: NPY002
            time.sleep(0.003)
        return drawn


def test_two_loaders_do_not_draw_from_each_others_seeds():
    alone = SeededLoader(Slow(), 1), SeededLoader(Slow(), 2)
    expected = [[loader.batch(step, ahead=False) for step in range(4)] for loader in alone]
    training, validation = SeededLoader(Slow(), 1), SeededLoader(Slow(), 2)
    found = [[], []]
    for step in range(4):
        # the next batch of training is being made while that of validation is
        found[0].append(training.batch(step))
        found[1].append(validation.batch(step, ahead=False))
    assert found == expected
    assert expected[0][0] != expected[1][0]
    for loader in (*alone, training, validation):
        loader.close()
