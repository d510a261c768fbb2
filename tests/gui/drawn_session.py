"""A session drawn by hand: rooms with walls, one of which has a gap the network left."""

import numpy as np

from napari_copnet.params import CellParams
from napari_copnet.proofreading.session_start import Start
from napari_copnet.types import Stack, VoxelSize

SHAPE = (4, 40, 64)
WALL = 32
GAP = slice(18, 22)
SIZE = VoxelSize(0.05, 0.01, 0.01)


def rooms():
    """Two rooms side by side in each slice; the wall of slice 1 has a gap four pixels wide.

    In slice 2 the network has closed such a gap itself.
    """
    contour = np.zeros(SHAPE, np.uint8)
    contour[:, [0, -1]] = contour[:, :, [0, -1]] = 1
    contour[:, :, WALL] = 1
    contour[1, GAP, WALL] = 0
    return contour


def start(**more):
    contour = rooms()
    step1 = contour * np.float32(0.9)
    step1[1, GAP, WALL] = 0.3
    step1[2, GAP, WALL] = 0.2
    stack = Stack((200 - 150 * contour).astype(np.uint8), SIZE, name="rooms")
    given = {"contour": contour, "stack": stack, "cells": CellParams(min_size=0), **more}
    return Start(step1=step1, **given)
