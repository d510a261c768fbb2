"""What closing does: the contour of a synthetic slice before, after one iteration, and at the end.

python examples/closing_by_iteration.py --out closing.png
"""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from napari_copnet import (
    Network,
    close_contours,
    find_model,
    label_cells,
    make_tissue,
    params,
    predict_contours,
    preprocess,
    watch,
)

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--out", type=Path, required=True, help="the picture")
given = arguments.parse_args()

tissue = make_tissue(params.TissueParams(slices=1, size=192), seed=3)
ready = watch(preprocess(tissue.stack, params.PreprocessParams(size=192)))
step1 = Network.load(find_model("default", "contours"))
step2 = Network.load(find_model("default", "closing"))
probability = watch(predict_contours(ready.data, step1))
closing = watch(close_contours(probability, step2, params.ClosingParams(keep_iterations=True)))

contours = {
    "Step 1": probability[0] > 0.5,
    "one iteration": closing.iterations[1][0] > 0.5,
    "closed": closing.mask[0] > 0,
}
figure, axes = plt.subplots(1, len(contours) + 1, figsize=(14, 4))
axes[0].imshow(tissue.stack.data[0], cmap="gray")
axes[0].set_title("slice")
for axis, (name, contour) in zip(axes[1:], contours.items(), strict=True):
    cells = watch(label_cells(contour[None].astype("uint8"))).labels[0]
    axis.imshow(cells % 19 * (cells > 0), cmap="tab20", interpolation="nearest")
    axis.set_title(f"{name}: {cells.max()} cells")
for axis in axes:
    axis.axis("off")
figure.tight_layout()
figure.savefig(given.out, dpi=100)
print(given.out)
