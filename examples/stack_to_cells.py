"""From a stack to cells: run all steps, and write the results as `copnet run` does.

    python examples/stack_to_cells.py --out results [--stack stack.tif]

Without a stack, synthetic tissue is made, and the cells found are scored against its true ones.
"""

import argparse
from pathlib import Path

from napari_copnet import (
    Settings,
    evaluate,
    finish,
    make_tissue,
    params,
    read_stack,
    restore,
    run,
    save_run,
    watch,
)

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--out", type=Path, required=True, help="folder for the results")
arguments.add_argument("--stack", type=Path, help="any stack that napari-copnet reads")
given = arguments.parse_args()

tissue = None
if given.stack:
    # The run looks for the size at which the networks handle this tissue.
    stack, settings = read_stack(given.stack), Settings()
else:
    tissue = make_tissue(params.TissueParams(slices=2, size=192), seed=1)
    stack, settings = tissue.stack, Settings(preprocess=params.PreprocessParams(size=192))

result = watch(run(stack, settings))
restored = watch(restore(result))
record = save_run(result, restored, settings, given.out)
print(f"{record['cells']} cells: {record['files']['cells']}")

if tissue is not None:
    scores = finish(evaluate(restored.closed, tissue.contours, baseline=restored.contours > 0.5))
    for name, share in scores.as_dict()["gain"].items():
        print(f"{name}: {scores.as_dict()[name]:.2f}, {share:+.2f} by closing")
