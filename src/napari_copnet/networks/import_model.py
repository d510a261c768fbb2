"""Import a model in any supported form: our own zip, or a folder or zip of nnU-Net."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

from napari_copnet.errors import ModelError
from napari_copnet.networks.import_nnunet import import_nnunet
from napari_copnet.networks.model_zip import BROKEN, import_zip, is_model_zip, refuse_taken
from napari_copnet.networks.package import DAMAGED, ModelPackage, check_name, models_folder

_DATASET = re.compile(r"Dataset\d+_(.+)")


def import_model(
    source: Path | str,
    kind: str,
    name: str | None = None,
    *,
    out: Path | None = None,
    replace: bool = False,
    configuration: str | None = None,
    fold: str | None = None,
    checkpoint: str | None = None,
    contour: str | None = None,
) -> ModelPackage:
    """Add a model to the user's models; no code in it is run.

    Parameters
    ----------
    source : path
        A zip made by `copnet model export`, or nnU-Net's result folder or zip.
    kind : str
        ``"contours"`` or ``"closing"``: what an nnU-Net network is for. Zips made by
        napari-copnet state it.
    name : str, optional
        Name of the model. If not given: for an nnU-Net network `suggested_name`, otherwise that in
        the zip.
    out : path, optional
        The model folder to write; one in the models folder if not given.
    replace : bool
        Whether an existing model may be replaced. Anything else is never replaced.
    configuration, fold, checkpoint, contour
        See `import_nnunet`.

    Raises
    ------
    ModelError
        The source is neither, or is damaged; nothing is written.
    OutputError
        It can't be written.
    """
    source = Path(source)
    if is_model_zip(source):
        return import_zip(source, out, name=name, replace=replace)
    name = suggested_name(source) if name is None else check_name(name)
    if out is None and not replace:
        refuse_taken(name)
    folder = models_folder() / name if out is None else out
    return import_nnunet(
        source,
        kind,
        name,
        folder,
        configuration=configuration,
        fold=fold,
        checkpoint=checkpoint,
        contour=contour,
        replace=replace,
    )


def suggested_name(source: Path) -> str:
    """Return a name for an nnU-Net model: its data set's, with a number if it is taken.

    Raises
    ------
    ModelError
        It lies in no folder of a data set, and its own name can't be a model's.
    """
    parts = [*reversed(source.resolve().parts)]
    if source.is_file() and zipfile.is_zipfile(source):
        try:
            with zipfile.ZipFile(source) as archive:
                parts = [*sorted({member.split("/")[0] for member in archive.namelist()}), *parts]
        except BROKEN as error:
            raise ModelError(f"{source} is not a readable zip file.", DAMAGED) from error
    elif source.is_dir():
        parts += sorted(path.name for path in source.iterdir())
    found = next((match for part in parts if (match := _DATASET.fullmatch(part))), None)
    text = found.group(1) if found else source.stem
    name = check_name(re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")[:60])
    number, free = 2, name
    while (models_folder() / free).exists():
        free, number = f"{name}-{number}", number + 1
    return free
