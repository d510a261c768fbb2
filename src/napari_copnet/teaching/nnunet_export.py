"""An nnU-Net dataset of annotated slices, for training elsewhere with nnU-Net's own commands."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.errors import InputError
from napari_copnet.folders import check_free, whole_folder
from napari_copnet.networks.package import KINDS, ModelPackage
from napari_copnet.networks.provenance import PROVENANCE
from napari_copnet.progress import Progress, Steps, finish
from napari_copnet.teaching.annotated_dataset import Split, refuse_seen, split
from napari_copnet.teaching.project import Project
from napari_copnet.training.cases import MARGIN
from napari_copnet.training.truth import (
    IGNORE,
    ignore_padding,
    resize_image,
    resize_truth,
    scale_for,
)

# Number of folds of nnU-Net's cross-validation.
FOLDS = 5
_LARGER_BATCH = (
    "import json, pathlib, sys; path = pathlib.Path(sys.argv[1]); "
    "plans = json.loads(path.read_text()); flat = plans['configurations']['2d']; "
    "flat['batch_size'] = max(flat['batch_size'], int(sys.argv[2])); "
    "path.write_text(json.dumps(plans, indent=1))"
)


def export_nnunet(
    project: Project,
    out: Path | str,
    kind: str = "contours",
    *,
    number: int = 1,
    name: str | None = None,
    model: ModelPackage | None = None,
    hold_out: bool = True,
    gpus: int = 1,
) -> Steps[dict[str, Any]]:
    """Write an nnU-Net dataset that ``nnUNetv2_*`` runs on unchanged.

    ``OUT/nnUNet_raw/DatasetNNN_name`` has a case for each annotated slice, at the size networks
    see: the z-scored image (Step 1), or a contour model's map of it (closing).
    ``OUT/nnUNet_preprocessed`` holds the splits by blocks of slices, ``OUT/commands.txt`` the
    commands. The folder appears whole.

    Parameters
    ----------
    project : Project
    out : path
        Must not exist, or be empty.
    kind : str
        ``"contours"`` or ``"closing"``.
    number : int
        Of the dataset, 1 to 999.
    name : str, optional
        Of the dataset; its kind by default.
    model : ModelPackage, optional
        Closing: the contour model that makes the maps. It must not have learnt from these slices.
    hold_out : bool
        Whether fold 0 keeps the last slices apart, as our own fine-tuning does.
    gpus : int
        On how many GPUs the commands train, by nnU-Net's own data-parallel training.

    Yields
    ------
    Progress
        In slices.

    Returns
    -------
    dict
        ``dataset`` (its name), ``cases``, ``folds`` (slices that validate, by fold), ``commands``
        and ``files``.

    Raises
    ------
    CopnetError
        Nothing is annotated, the folder is in use, or the model has learnt from the slices.
    """
    import tifffile

    from napari_copnet.networks.nnunet import Network
    from napari_copnet.steps.contours import predict_contours

    out, name = Path(out), name or kind
    if kind not in KINDS:
        raise InputError(f"There is no kind of network {kind!r}.", "Choose contours or closing.")
    _check(out, number, name, gpus)
    image, done = project.image, project.done
    parts = split(done, hold_out)
    network = None
    if kind == "closing":
        if model is None:
            raise InputError(
                "A closing network is trained on the maps of a contour model.",
                "Name a contour model.",
            )
        refuse_seen(project, model, done)
        network = Network.load(model)
    scale = scale_for(project.shape, project.network_size)
    dataset = f"Dataset{number:03d}_{name}"
    with whole_folder(out) as beside:
        raw = beside / "nnUNet_raw" / dataset
        for part in ("imagesTr", "labelsTr"):
            (raw / part).mkdir(parents=True)
        ignored = False
        for count, z in enumerate(done, start=1):
            grey = np.asarray(image[z])[None]
            values = resize_image(grey, scale)
            if network is not None:
                values = finish(predict_contours(values, network))
            truth = resize_truth(project.truth(z)[None], scale, "contours", 1.0, "region")
            ignore_padding(truth, grey)
            ignored |= bool((truth == IGNORE).any())
            case = _case(z)
            # A third axis of one slice and a huge spacing along it is how nnU-Net reads 2D images.
            for path, array in (
                (raw / "imagesTr" / f"{case}_0000.tif", values),
                (raw / "labelsTr" / f"{case}.tif", truth),
            ):
                tifffile.imwrite(path, array, photometric="minisblack")
                path.with_name(f"{case}.json").write_text('{"spacing": [999.0, 1.0, 1.0]}\n')
            yield Progress("export", count, len(done), "slices")
        folds = splits(done, parts)
        labels = {"background": 0, "contour": 1, **({"ignore": 2} if ignored else {})}
        _json(
            raw / "dataset.json",
            {
                "channel_names": {"0": "SEM" if kind == "contours" else "noNorm"},
                "labels": labels,
                "numTraining": len(done),
                "file_ending": ".tif",
                "overwrite_image_reader_writer": "Tiff3DIO",
                # nnU-Net keeps what it does not know, and copies it beside the weights.
                PROVENANCE: _provenance(project, kind, done, folds, model),
            },
        )
        _json(
            beside / "nnUNet_preprocessed" / dataset / "splits_final.json",
            [
                {"train": [_case(z) for z in train], "val": [_case(z) for z in held or train]}
                for train, held in folds
            ],
        )
        commands = _commands(out, dataset, number, kind, gpus)
        (beside / "commands.txt").write_text("\n".join(commands) + "\n")
    return {
        "dataset": dataset,
        "cases": [_case(z) for z in done],
        "folds": [list(held) for _, held in folds],
        "commands": commands,
        "files": {
            "raw": str(out / "nnUNet_raw" / dataset),
            "splits": str(out / "nnUNet_preprocessed" / dataset / "splits_final.json"),
            "commands": str(out / "commands.txt"),
        },
    }


def splits(
    done: list[int], parts: Split, margin: int = MARGIN
) -> list[tuple[list[int], list[int]]]:
    """Return training and validation slices of each fold: contiguous blocks, a margin between.

    Fold 0 is that of `parts`. Up to four more blocks follow; one that would leave nothing to
    train on is left out.
    """
    folds = [(list(parts.train), list(parts.held_out))]
    rest = [z for z in done if z not in parts.held_out]
    for block in np.array_split(np.array(rest, int), min(FOLDS - 1, max(1, len(rest)))):
        held = block.tolist()
        train = [z for z in done if all(abs(z - other) >= margin for other in held)]
        if held and train and parts.held_out:
            folds.append((train, held))
    return folds


def _check(out: Path, number: int, name: str, gpus: int) -> None:
    if not 1 <= number <= 999:
        raise InputError(
            f"A dataset can't have the number {number}.", "Choose a number from 1 to 999."
        )
    if not 1 <= gpus <= 64:
        raise InputError(f"A training can't run on {gpus} GPUs.", "Choose a number from 1 to 64.")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise InputError(
            f"A dataset can't be called {name!r}.", "Use letters, digits, dots and dashes."
        )
    check_free(out)


def _provenance(
    project: Project,
    kind: str,
    done: list[int],
    folds: list[tuple[list[int], list[int]]],
    model: ModelPackage | None,
) -> dict[str, Any]:
    """Return the provenance that an imported model's card takes from the dataset.

    Without the slices it has learnt from it would be compared on these, and could make the maps
    that a closing network learns from.
    """
    return {
        "kind": kind,
        "stack": project.stack_id,
        "name": project.session.facts.name,
        "input_size": project.network_size,
        "maps": model.name if model is not None else "",
        "slices": done,
        "folds": [{"train": train, "held_out": held} for train, held in folds],
    }


def _case(z: int) -> str:
    return f"slice_{z:04d}"


def _commands(out: Path, dataset: str, number: int, kind: str, gpus: int) -> list[str]:
    """Return lines of a shell script that trains the dataset and brings the model back."""
    home = out.absolute()
    prepared = home / "nnUNet_preprocessed"
    trained = home / "nnUNet_results" / dataset / "nnUNetTrainer__nnUNetPlans__2d"
    lines = [
        f"export nnUNet_raw={_quoted(home / 'nnUNet_raw')}",
        f"export nnUNet_preprocessed={_quoted(prepared)}",
        f"export nnUNet_results={_quoted(home / 'nnUNet_results')}",
        f"nnUNetv2_plan_and_preprocess -d {number} -c 2d --verify_dataset_integrity",
    ]
    train = f"nnUNetv2_train {number} 2d 0"
    if gpus > 1:
        # Planned for so few slices a batch is two patches, and nnU-Net refuses more GPUs than that.
        plans = _quoted(prepared / dataset / "nnUNetPlans.json")
        lines.append(f"python -c {_quoted(_LARGER_BATCH)} {plans} {2 * gpus}")
        train += f" -num_gpus {gpus}"
    back = f"copnet model import {_quoted(trained)} --kind {kind} --name {dataset.lower()}"
    return [*lines, train, back]


def _quoted(value: Path | str) -> str:
    return shlex.quote(str(value))


def _json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")
