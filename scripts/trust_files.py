"""Bad files: every kind of input with bytes changed, cut, zeroed, repeated or put in.

Whatever is read ends in values or in a `CopnetError`, in less than 5 s and 1 GB.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import trust_inputs
from trust_inputs import tries

from napari_copnet import CopnetError, Session
from napari_copnet.export.export import export_files
from napari_copnet.io.read import read_stack
from napari_copnet.io.write import write_image
from napari_copnet.measures.files import check_tables, measure_files
from napari_copnet.measures.measure import measure
from napari_copnet.measures.open_source import opened_source
from napari_copnet.networks.model_zip import export_zip, import_zip
from napari_copnet.networks.package import load_package
from napari_copnet.params import DegradeParams, FineTuneParams, as_dict
from napari_copnet.progress import finish
from napari_copnet.proofreading.recover import recover
from napari_copnet.proofreading.session_start import from_run_folder
from napari_copnet.runs.generation import check_results
from napari_copnet.runs.rerun import plan_of
from napari_copnet.store.folder import FolderStage
from napari_copnet.teaching.carrying.carried import CarriedSlice, DoubtfulCell
from napari_copnet.teaching.fine_tuning import resume, unfinished
from napari_copnet.teaching.fine_tuning_folder import train_params, write_record
from napari_copnet.teaching.loop_state import Point, read_points, write_points
from napari_copnet.teaching.prefilled import PrefilledSlice
from napari_copnet.teaching.project import Project
from napari_copnet.training import child, fit
from napari_copnet.training.losses import read_losses
from napari_copnet.training.sources import Source
from napari_copnet.types import VoxelSize

SECONDS, MEGABYTES = 5, 1000
# Kinds of many files, or of which much is made.
_LONG = ("run, to be measured", "run, to be repeated", "session and project", "model, zipped")
_NUMBERS = (0, 1, 1 << 31, (1 << 32) - 1, 1 << 62, (1 << 64) - 1)


class _Slow(BaseException):
    pass


def bad_files(folder: Path, count: int, seed: int) -> tuple[int, int, int]:
    """Spoil inputs of all kinds `count` times; return tried, survived, lost."""
    rng = np.random.default_rng(seed)
    kinds = _kinds(folder)
    # Those that take long are tried less often, images of each format more often.
    order = [name for name in kinds for _ in range(1 if name in _LONG else 6)]
    whole = {name: _contents(path) for name, (path, _) in kinds.items()}
    lost: Counter[str] = Counter()
    signal.signal(signal.SIGALRM, _slow)
    warnings.simplefilter("ignore")
    before = _megabytes()
    tried = 0
    for number in tries(count):
        tried += 1
        name = order[number % len(order)]
        path, read = kinds[name]
        _put(path, whole[name])
        files = [p for p, data in whole[name].items() if data]
        target = files[int(rng.integers(len(files)))]
        target.write_bytes(spoilt(rng, whole[name][target]))
        signal.alarm(SECONDS)
        try:
            read(path)
        except CopnetError:
            pass
        except _Slow:
            lost[f"{name}: over {SECONDS} s"] += 1
            _keep(name, target)
        except BaseException as error:
            lost[f"{name}, {target.name}: {type(error).__name__}: {str(error)[:80]}"] += 1
            if os.environ.get("COPNET_DEBUG"):
                raise
        finally:
            signal.alarm(0)
        if _megabytes() > before + MEGABYTES:
            lost[f"{name}: over {MEGABYTES} MB"] += 1
            before = _megabytes()
            _keep(name, target)
    for text, times in lost.most_common(20):
        print(f"    {times} × {text}")
    return tried, tried - lost.total(), lost.total()


def _keep(name: str, target: Path) -> None:
    """Keep a file that took too long or too much, to be looked at."""
    kept = Path(tempfile.gettempdir()) / f"trust-{name}-{time.time_ns()}-{target.name}"
    shutil.copyfile(target, kept)
    print(f"    kept as {kept}")


def spoilt(rng: np.random.Generator, data: bytes) -> bytes:
    """Return bytes that something has happened to."""
    values = bytearray(data)
    kind, at = int(rng.integers(7)), int(rng.integers(len(data)))
    if kind == 0:
        for place in rng.integers(0, len(data), int(rng.integers(1, 9))):
            values[place] = rng.integers(256)
    elif kind == 1:
        del values[at:]
    elif kind == 2:
        size = int(rng.choice([1, 16, 512, 4096]))
        values[at : at + size] = bytes(len(values[at : at + size]))
    elif kind == 3:
        # A number that is huge or negative, where headers have them.
        number = _NUMBERS[int(rng.integers(len(_NUMBERS)))]
        at = int(rng.integers(min(len(data), 4096)))
        size = int(rng.choice([2, 4, 8]))
        values[at : at + size] = number.to_bytes(8, "little")[:size]
    elif kind == 4:
        del values[at : at + int(rng.integers(1, 64))]
    elif kind == 5:
        values[at:at] = rng.bytes(int(rng.integers(1, 64)))
    else:
        end = at + int(rng.integers(1, 4096))
        values[at:at] = values[at:end]
    return bytes(values)


def _kinds(folder: Path) -> dict[str, tuple[Path, Callable[[Path], Any]]]:
    """Return a whole input of each kind and what reads all of it."""
    image = (trust_inputs.contour_of() * 200 + 20).astype(np.uint8)
    size = VoxelSize(0.05, 0.01, 0.01)
    images = folder / "images"
    paths = {
        "TIFF": write_image(images / "a.tif", image, voxel_size=size),
        "NIfTI": write_image(images / "b.nii", image, voxel_size=size, format="nifti"),
        "NIfTI, gzipped": write_image(images / "c.nii.gz", image, voxel_size=size),
        "OME-Zarr": write_image(images / "d.ome.zarr", image, voxel_size=size),
        "MRC": images / "e.mrc",
        "OME-TIFF": images / "f.ome.tif",
        "folder of PNG": images / "g",
    }
    paths |= {
        "HDF5": images / "h.h5",
        "NumPy": images / "i.npy",
        "Cellpose": images / "j_seg.npy",
    }
    _others(paths, image)
    kinds: dict[str, tuple[Path, Callable[[Path], Any]]] = {
        name: (path, _read_image) for name, path in paths.items()
    }
    trust_inputs.write_run(folder / "run", 0, ("contours", "closed", "iterations", "cells"))
    kinds["run"] = folder / "run", _read_run
    kinds["run, to be measured"] = folder / "cells", _read_cells
    trust_inputs.write_run(folder / "cells", 0, ("contours", "closed", "cells"))
    kinds["run, to be repeated"] = folder / "repeated", _read_plan
    trust_inputs.write_whole_run(
        folder / "repeated", trust_inputs.write_stack(folder / "repeated.tif")
    )
    trust_inputs.write_session(folder / "session", folder / "run", 12)
    _carry(folder / "session")
    kinds["session and project"] = folder / "session", _read_session
    model = trust_inputs.write_model(folder / "model")
    kinds["model"] = folder / "model", lambda path: load_package(path).weights()
    export_zip(model, folder / "model.zip")
    kinds["model, zipped"] = folder / "model.zip", _import
    stage = FolderStage(folder / "store" / "step", "a key")
    stage.array("made", trust_inputs.SHAPE, np.uint8)[:] = image
    stage.keep("phase", "0-1", {"sums": np.arange(4)})
    kinds["store of a run"] = folder / "store", _read_store
    _begin_training(folder / "rounds" / "a-round-1.training")
    kinds["training"] = folder / "rounds", _read_training
    finish(measure_files(folder / "cells", folder / "tables"))
    kinds["tables"] = folder / "tables", lambda path: check_tables(path)
    finish(export_files(folder / "cells", folder / "exported", ["rois", "labels16"]))
    kinds["exports"] = folder / "exported", _read_exports
    return kinds


def _others(paths: dict[str, Path], image: np.ndarray) -> None:
    import h5py
    import mrcfile
    import tifffile
    from PIL import Image

    with mrcfile.new(paths["MRC"]) as file:
        file.set_data(image)
    tifffile.imwrite(
        paths["OME-TIFF"], image, metadata={"axes": "ZYX"}, ome=True, compression="zlib"
    )
    with h5py.File(paths["HDF5"], "w") as file:
        file.create_dataset("exported_data", data=image, chunks=(1, 6, 7), compression="gzip")
        file["exported_data"].attrs["element_size_um"] = (0.05, 0.01, 0.01)
    np.save(paths["NumPy"], image)
    cells = {"masks": image.astype(np.uint16), "filename": "a.tif", "flows": [image[0]]}
    np.save(paths["Cellpose"], np.array(cells, object), allow_pickle=True)
    paths["folder of PNG"].mkdir()
    for z, plane in enumerate(image):
        Image.fromarray(plane).save(paths["folder of PNG"] / f"{z}.png")


def _read_image(path: Path) -> None:
    """Read an image whole, and slice by slice from the disk."""
    try:
        np.asarray(read_stack(path).data[:])
    finally:
        data = read_stack(path, lazy=True).data
        for z in range(data.shape[0]):
            np.asarray(data[z])


def _read_run(path: Path) -> None:
    start = from_run_folder(path)
    for array in (start.contour, start.step1, start.iterations, start.excluded):
        if array is not None:
            np.asarray(array[:])


def _read_cells(path: Path) -> None:
    with opened_source(path) as source:
        finish(measure(source))


def _read_plan(path: Path) -> None:
    plan_of(path, path.with_name("repeated.tif"))


def _carry(session: Path) -> None:
    contour = trust_inputs.contour_of(2)[0] > 0
    with Project.open(session) as project:
        doubtful = (DoubtfulCell(1, 1, 0.5, 4),)
        project.take_carried(CarriedSlice(0, (1,), contour, contour, doubtful, 3))
        project.drop(1)
        project.session.jump(0)
        project.take_prefilled(PrefilledSlice(1, "a" * 64, contour))
    write_points(session / "annotation", [Point(1, 2, "model", "b" * 64, 0.5, None)])


def _read_session(path: Path) -> None:
    """Open a session, else recover it; what is recovered opens."""
    try:
        _look(path)
    except CopnetError:
        recover(path)
        _look(path)


def _look(path: Path) -> None:
    with Session.open(path) as session:
        for z in range(session.shape[0]):
            session.cells(z)
            np.asarray(session.step1[z])
        session.undo()
        session.redo()
    with Project.open(path, read_only=True) as project:
        project.reviewed(1)
        project.carried(0)
        project.doubts(0)
        project.prefilled(1)
        _ = project.network_size
    read_points(path / "annotation")


def _import(path: Path) -> None:
    import_zip(path, path.with_name("imported"), replace=True)


def _begin_training(work: Path) -> None:
    """Write down a training as it is before its first step."""
    fine = FineTuneParams()
    model = trust_inputs.write_model(work.parent / "parent")
    write_record(work, "contours", "a", model, fine, None, 0, {}, None)
    source = Source(truth=work / "truth.tif", image=work / "image.tif", truth_kind="contours")
    config = {
        "kind": "contours",
        "params": as_dict(train_params(fine, model)),
        "degrade": as_dict(DegradeParams()),
        "start_from": str(model.folder),
        "sources": [fit._plain(source)],
    }
    (work / "config.json").write_text(json.dumps(config))
    (work / "losses.csv").write_text(",".join(child.COLUMNS) + "\n1,10,2.5,0.01,0.7,,\n")


def _read_training(path: Path) -> None:
    """Look for what can be gone on with, and go on until networks are needed."""
    read_losses(path / "a-round-1")
    for one in unfinished(path):
        next(resume(one.out))


def _read_exports(path: Path) -> None:
    check_results(path, ["rois.zip", "cells16.tif"], "export.json", replaces="export")


def _read_store(path: Path) -> None:
    stage = FolderStage(path / "step", "a key")
    stage.recalled("phase", "0-1")


def _contents(path: Path) -> dict[Path, bytes]:
    files = [path] if path.is_file() else [p for p in sorted(path.rglob("*")) if p.is_file()]
    return {file: file.read_bytes() for file in files}


def _put(path: Path, contents: dict[Path, bytes]) -> None:
    """Restore an input as it was."""
    if path.is_dir():
        shutil.rmtree(path)
    for file, data in contents.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _slow(*_: object) -> None:
    raise _Slow
