"""Rebuild the default models from the data whose weights may ship.

    python -m napari_copnet.training.default_models --data ../shared/data \\
        --out src/napari_copnet/networks/shipped
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from napari_copnet.errors import CopnetError
from napari_copnet.networks.package import ModelPackage
from napari_copnet.params import DegradeParams, TrainParams
from napari_copnet.progress import Progress, Steps
from napari_copnet.training.fit import train
from napari_copnet.training.sources import MadeTissue, Source

LICENCE = (
    "Weights CC BY 3.0. Trained on FIB-25 (FlyEM, Janelia; CC BY 3.0; Takemura et al. 2015) and "
    "FIB-SEM crops of gala (BSD 3-clause; Nunez-Iglesias et al.), which have to be named."
)
SEED = 20260


def default_sources(kind: str, data: Path, contour_model: Path) -> list[Source | MadeTissue]:
    """Return what the default models learn from.

    Slices 0–114 of fib25 in three planes; slices 125–159 validate. All of the gala training
    crop. Made tissue with settings that vary from stack to stack. The closing network also sees
    the contour model's own maps, mostly of made tissue that was new to that model.

    Parameters
    ----------
    kind : str
        ``"contours"`` or ``"closing"``.
    data : Path
        Folder with ``fib25`` and ``gala-fibsem``.
    contour_model : Path
        The default contour model's folder, for the closing network.
    """
    fib25, gala = data / "fib25", data / "gala-fibsem"
    annotated = Source(
        truth=fib25 / "instances.tif",
        image=fib25 / "raw.tif",
        slices="0-114",
        validation="125-159",
        planes=("xy", "xz", "yz"),
        truth_kind="labels",
    )
    crop = Source(
        truth=gala / "train-instances-3d.tif",
        image=gala / "train-image.tif",
        slices="0-49",
        truth_kind="labels",
        zero="contour",
    )
    if kind == "contours":
        return [
            replace(annotated, weight=0.5),
            replace(crop, weight=0.1),
            MadeTissue(count=24, seed=SEED, slices=6, weight=0.4),
        ]
    return [
        replace(annotated, step1=contour_model, weight=0.25),
        replace(annotated, image=None, weight=0.2),
        replace(crop, image=None, weight=0.05),
        MadeTissue(count=24, seed=SEED + 1000, slices=6, step1=contour_model, weight=0.3),
        MadeTissue(count=12, seed=SEED + 2000, slices=6, weight=0.2),
    ]


def train_default(
    kind: str, data: Path, out: Path, minutes: float, *, resume: bool = False
) -> Steps[ModelPackage]:
    """Train one default model and write it to ``OUT/KIND``; see `fit.train`."""
    params = TrainParams(size="small", epochs=100_000, minutes=minutes, seed=SEED)
    package = yield from train(
        kind,
        default_sources(kind, data, out / "contours"),
        out / kind,
        params,
        DegradeParams(),
        name=f"default-{kind}",
        resume=resume,
        card={
            "licence": LICENCE,
            "command": f"make models (training.default_models, {minutes:g} minutes on a CPU)",
        },
    )
    return package


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what is asked for; one line of progress per epoch."""
    parser = argparse.ArgumentParser(prog="default_models", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with fib25, gala-fibsem")
    parser.add_argument("--out", type=Path, required=True, help="where the model folders go")
    parser.add_argument("--kind", choices=("contours", "closing", "both"), default="both")
    parser.add_argument("--minutes-contours", type=float, default=35.0)
    parser.add_argument("--minutes-closing", type=float, default=35.0)
    parser.add_argument("--resume", action="store_true", help="go on with a stopped training")
    chosen = parser.parse_args(arguments)
    kinds = ("contours", "closing") if chosen.kind == "both" else (chosen.kind,)
    for kind in kinds:
        minutes = chosen.minutes_contours if kind == "contours" else chosen.minutes_closing
        work = train_default(kind, chosen.data, chosen.out, minutes, resume=chosen.resume)
        try:
            shown = -1
            for progress in work:
                if progress.partial and int(progress.done) != shown:
                    shown = int(progress.done)
                    sys.stderr.write(_line(kind, progress))
        except CopnetError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        finally:
            work.close()
    return 0


def _line(kind: str, progress: Progress) -> str:
    values = "  ".join(f"{name} {value:.4f}" for name, value in progress.partial.items())
    return f"{kind}: epoch {progress.done:.0f} of about {progress.total:.0f}  {values}\n"


if __name__ == "__main__":
    sys.exit(main())
