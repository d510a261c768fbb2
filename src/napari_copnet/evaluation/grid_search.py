"""Grid search: train a closing network at each point of a grid and score it on validation slices.

A finished point is a finished folder, so a search that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from napari_copnet.errors import CopnetError, InputError
from napari_copnet.evaluation.figures import heat_map
from napari_copnet.evaluation.score_names import SCORES
from napari_copnet.evaluation.score_tables import write_rows
from napari_copnet.evaluation.scores import evaluate_all
from napari_copnet.evaluation.true_slices import TrueStack
from napari_copnet.files import check_files, check_writable, whole_file
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, load_package
from napari_copnet.params import (
    FORMER_NAMES,
    ClosingParams,
    DegradeParams,
    DeviceParams,
    TrainParams,
    as_dict,
    checked,
    field_type,
    settings,
    with_former_names,
)
from napari_copnet.progress import Progress, Steps
from napari_copnet.records import has_keys, read_record
from napari_copnet.steps.closing import close
from napari_copnet.training.fit import train, work_folder
from napari_copnet.training.sources import Source, SyntheticTissue, identify
from napari_copnet.training.truth import WIDTH
from napari_copnet.training.work import remove_model
from napari_copnet.types import is_contour

Params = TypeVar("Params")

# The grid of the paper.
PAPER = {"diffusion_disks": (0, 6, 12), "absorption_disks": (0, 10, 20)}
SHORT = {"N1": "diffusion_disks", "N2": "absorption_disks"}


@dataclass(frozen=True)
class Search:
    """The data and settings that all points of a grid share.

    Attributes
    ----------
    sources : sequence of Source or SyntheticTissue
        The training data.
    contours : ndarray, shape (Z, Y, X), float32
        Step 1 probability of the validation slices, at the size networks see.
    true : TrueStack
        Their truth.
    params, degrade, device
        Settings that the grid does not vary.
    size : int
        Longer in-plane side networks see.
    width : float
        Of contours drawn between labels, px.
    """

    sources: Sequence[Source | SyntheticTissue]
    contours: np.ndarray
    true: TrueStack
    params: TrainParams = TrainParams()
    degrade: DegradeParams = DegradeParams()
    device: DeviceParams = DeviceParams()
    size: int = 512
    width: float = WIDTH

    def at(self, point: Mapping[str, Any]) -> tuple[TrainParams, DegradeParams]:
        """Return the settings at a point of the grid."""
        return _changed(self.params, point), _changed(self.degrade, point)

    def recipe(self, point: Mapping[str, Any]) -> str:
        """Return a hash of everything that determines the result at a point."""
        params, degrade = self.at(point)
        parts = [
            with_former_names(as_dict(params)),
            as_dict(degrade),
            [identify(source) for source in self.sources],
            self.size,
            self.width,
            as_dict(self.true.params),
        ]
        digest = hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode())
        for array in (self.contours, self.true.contours):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def _changed(params: Params, point: Mapping[str, Any]) -> Params:
    own = {name: value for name, value in point.items() if name in settings(params)}
    return checked(dataclasses.replace(params, **own))  # type: ignore[type-var]


def parse_grid(texts: Sequence[str]) -> dict[str, tuple[Any, ...]]:
    """Return a grid from texts such as ``"N1=0,6,12"`` or ``"own_outputs=0,0.4"``.

    Names are those of training and degradation settings, with ``N1`` and ``N2`` for the numbers
    of disks. Without any text it is the paper's grid of both.

    Raises
    ------
    InputError
        An unknown setting, or values that are not of its type.
    """
    if not texts:
        return dict(PAPER)
    kinds = {name: kind for kind in (TrainParams, DegradeParams) for name in settings(kind)}
    grid: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        name = SHORT.get(name.strip(), name.strip().replace("-", "_"))
        name = FORMER_NAMES.get(name, name)
        if name not in kinds:
            raise InputError(
                f"There is no training setting {name!r}.",
                f"Choose from {', '.join((*SHORT, *sorted(kinds)))}.",
            )
        given = [part.strip() for part in values.split(",") if part.strip()]
        if not given:
            raise InputError(f"{text!r} names no values.", f"Write it as {name}=V1,V2.")
        kind = field_type(kinds[name], name)
        grid[name] = tuple(_value(name, part, kind) for part in given)
    for point in points_of(grid):
        _changed(TrainParams(), point)
        _changed(DegradeParams(), point)
    return grid


def _value(name: str, text: str, kind: type) -> Any:
    if kind is bool:
        meant = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if text.lower() not in meant:
            raise InputError(f"{name} can't be {text!r}.", "Write true or false.")
        return meant[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{name} can't be {text!r}.", "Write a number.") from None


def points_of(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return all points of a grid, the last setting varying first."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def point_name(point: Mapping[str, Any]) -> str:
    """Return the name of a point's folder."""
    return "_".join(f"{name}={value}" for name, value in point.items())


def grid_search(
    search: Search,
    out: Path | str,
    grid: Mapping[str, Sequence[Any]] = PAPER,
    *,
    parallel: int = 1,
) -> Steps[dict[str, Any]]:
    """Train and score a closing network at each point of a grid.

    ``OUT/points/NAME/result.json`` marks a finished point, ``OUT/results.csv`` and
    ``results.json`` grow by a row with each, and ``OUT/grid.png`` shows the labelled share.

    Parameters
    ----------
    search : Search
    out : path
    grid : mapping
        Setting to values.
    parallel : int
        Trainings at once; CPU cores are shared between them.

    Yields
    ------
    Progress
        In points, with fractions; `partial` is the row of a point that is finished.

    Returns
    -------
    dict
        ``points``: a row for each; ``step1``: scores before closing; ``best``: the row with the
        most labelled cells; ``files``.

    Raises
    ------
    CopnetError
        Training failed at a point, which it names. What is finished is kept.
    """
    out = Path(out)
    check_writable(out)
    ours = has_keys(out / "results.json", "grid", "points")
    check_files(out, ("results.csv", "results.json", "grid.png"), ours=ours)
    points = points_of(grid)
    if parallel < 1:
        raise InputError(f"{parallel} trainings can't run at once.", "Choose 1 or more.")
    search = _shared(search, min(parallel, len(points)))
    before = yield from evaluate_all({"step1": is_contour(search.contours)}, search.true)
    step1 = {name: before["step1"].mean(name) for name in SCORES}
    rows: dict[int, dict[str, Any]] = {}
    waiting = list(enumerate(points))
    running: dict[int, Steps[dict[str, Any]]] = {}
    shares = dict.fromkeys(range(len(points)), 0.0)
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                number, point = waiting.pop(0)
                running[number] = _point(search, point, out / "points" / point_name(point))
            for number, work in list(running.items()):
                row = None
                try:
                    shares[number] = _share(next(work))
                except StopIteration as end:
                    row = rows[number] = end.value
                    del running[number]
                    shares[number] = 1.0
                    result = _write(out, grid, [rows[n] for n in sorted(rows)], step1)
                except CopnetError as error:
                    name = point_name(points[number])
                    raise type(error)(f"At {name}: {error.message}", error.hint) from error
                done = sum(shares.values())
                yield Progress("grid", done, len(points), "points", partial=row)
    finally:
        for work in running.values():
            work.close()
    return result


def _share(progress: Progress) -> float:
    """Return the progress at a point; training takes nearly all of the time."""
    if progress.step == "dataset":
        return 0.0
    if progress.step == "training" and progress.total:
        return min(0.99, progress.done / progress.total)
    return 0.99


def _shared(search: Search, parallel: int) -> Search:
    """Return a search whose trainings share the CPU's cores."""
    if parallel == 1 or search.device.threads:
        return search
    threads = max(1, (os.cpu_count() or 1) // parallel)
    return dataclasses.replace(search, device=dataclasses.replace(search.device, threads=threads))


def _point(search: Search, point: Mapping[str, Any], folder: Path) -> Steps[dict[str, Any]]:
    """Train and score at one point, or take what is finished."""
    recipe, done = search.recipe(point), folder / "result.json"
    if done.exists():
        try:
            kept = read_record(done)
        except InputError:
            kept = {}  # it is made again
        if kept.pop("recipe", None) == recipe:
            return kept
    params, degrade = search.at(point)
    note, model = folder / "recipe.txt", folder / "model"
    same = note.exists() and note.read_text() == recipe
    if not same:
        # A model of another recipe is none to take, whatever happens before the new one is there.
        remove_model(model)
    with whole_file(note) as beside:
        beside.write_text(recipe)
    if same and (model / "model.json").exists():
        package = load_package(model)
    else:
        package = yield from train(
            "closing",
            search.sources,
            model,
            params,
            degrade,
            device=search.device,
            resume=same and (work_folder(model) / "config.json").exists(),
            name="grid-search",
            size=search.size,
            width=search.width,
            card={"command": "copnet grid-search"},
            replace=True,
        )
    row = yield from _scored(search, point, package)
    with whole_file(done) as beside:
        beside.write_text(json.dumps({**row, "recipe": recipe}, indent=1) + "\n")
    return row


def _scored(search: Search, point: Mapping[str, Any], package: ModelPackage) -> Steps[dict]:
    network = Network.load(package, search.device)
    closed = yield from close(
        search.contours, network, ClosingParams(likely_gaps=False, keep_iterations=True)
    )
    assert closed.iterations is not None
    once = is_contour(closed.iterations[1]).astype(np.uint8)
    scores = yield from evaluate_all({"closed": closed.mask, "once": once}, search.true)
    return {
        **point,
        **{name: scores["closed"].mean(name) for name in SCORES},
        **{f"{name}_after_1": scores["once"].mean(name) for name in SCORES},
        "iterations": len(closed.changed),
        "converged": closed.settled,
        "steps": package.card["steps"],
        "seconds": package.card["seconds"],
        "model": str(package.folder),
    }


def _write(
    out: Path,
    grid: Mapping[str, Sequence[Any]],
    rows: list[dict[str, Any]],
    step1: Mapping[str, float],
) -> dict[str, Any]:
    files = {name: str(out / name) for name in ("results.csv", "results.json", "grid.png")}
    write_rows(out / "results.csv", rows, list(rows[0]))
    picture = grid_picture(grid, rows)
    with whole_file(out / "grid.png") as beside:
        beside.write_bytes(picture)
    best = max(rows, key=lambda row: row["labelled"])
    result = {
        "grid": {name: list(values) for name, values in grid.items()},
        "step1": dict(step1),
        "points": rows,
        "best": best,
        "files": {
            "results": files["results.csv"],
            "figure": files["grid.png"],
            "scores": files["results.json"],
        },
    }
    with whole_file(out / "results.json") as beside:
        beside.write_text(json.dumps(result, indent=1) + "\n")
    return result


def grid_picture(grid: Mapping[str, Sequence[Any]], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the labelled share over the first two settings of a grid, as a PNG.

    Of points that differ in a third setting the best counts; a point not finished is left empty.
    """
    names = [*grid, "", ""][:2]
    values = [list(grid.get(name, [""])) for name in names]
    table = np.full((len(values[0]), len(values[1])), np.nan)
    for row in rows:
        y, x = (
            options.index(row[name]) if name else 0
            for name, options in zip(names, values, strict=True)
        )
        table[y, x] = np.nanmax([table[y, x], 100 * row["labelled"]])
    texts = [[str(value) for value in options] for options in values]
    labels = {long: short for short, long in SHORT.items()}
    axes = tuple(labels.get(name, name) for name in names)
    return heat_map(table, texts[0], texts[1], (axes[0], axes[1]), "labelled, %")
