"""Proofread without a window: draw a missing wall, review the likely errors, export.

    python examples/proofread_by_script.py --out corrected

Two cells that share a faint wall are made; their contour has a gap, so at first they are one cell.
"""

import argparse
from pathlib import Path

import numpy as np

from napari_copnet import (
    Session,
    Stack,
    build_queue,
    edit_tools,
    export_session,
    finish,
    start_from_images,
)

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--out", type=Path, required=True, help="folder for the results")
given = arguments.parse_args()

# A slice with a wall in the middle, of which 12 px are missing in the contour.
contour = np.zeros((1, 80, 120), np.uint8)
contour[0, [0, 1, -2, -1]] = contour[0, :, [0, 1, -2, -1]] = 1
contour[0, :, 59:61] = 1
contour[0, 34:46, 59:61] = 0
image = np.where(contour > 0, 90, 170).astype(np.uint8)
image[0, 34:46, 59:61] = 140

folder = given.out / "session"
with Session.create(folder, start_from_images(Stack(image), contour)) as session:
    print(f"{session.cell_count(0)} cell before")
    for item in finish(build_queue(session))[:3]:
        print("likely error:", item.kind)
    # Slices, and points (y, x) in the gap.
    session.apply(edit_tools.close_gap(session, [0], [(40, 59)]))
    print(f"{session.cell_count(0)} cells after: {session.history[0].text}")
    record = finish(export_session(session, given.out / "export"))
print(record["files"]["cells"])
