"""Repeat a run from its record, and say what differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from napari_copnet.errors import CopnetError, InputError, ModelError
from napari_copnet.files import check_file, check_writable, sha256, whole_file
from napari_copnet.io.formats import FORMATS, FormatName, format_of
from napari_copnet.io.read import read_image, read_iterations, read_stack
from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage, find_model, list_models
from napari_copnet.params import DeviceParams, ReadParams, Settings, from_dict
from napari_copnet.pipeline import run
from napari_copnet.progress import Steps
from napari_copnet.records import is_record_of, read_record
from napari_copnet.restored import restored_lazily
from napari_copnet.runs.generation import FORM, check_results
from napari_copnet.runs.run_input import read_params
from napari_copnet.runs.run_record import OUTPUTS, surroundings
from napari_copnet.runs.saving import saving
from napari_copnet.store.folder import FolderStore

RECORD = "rerun.json"
_INPUT = {**FORM["inputs?"]["stack?"], "path": (str, None)}
_FORM = FORM | {
    "command": str,
    "settings": dict,
    "inputs": {"stack": _INPUT, "contours?": _INPUT},
}


@dataclass(frozen=True)
class Difference:
    """Something that is not as it was when the run was made.

    Attributes
    ----------
    what : str
        Such as ``"input"``, ``"contours model"`` or ``"numpy"``.
    then, now : str
        What the record says, and what is there; empty for nothing.
    decides : bool
        Whether results can't be expected to be the same: the input and the models.
    """

    what: str
    then: str
    now: str
    decides: bool = False

    @property
    def text(self) -> str:
        """A sentence for people."""
        now = self.now or "missing"
        return f"{self.what.capitalize()}: {self.then[:16] or 'missing'} then, {now[:16]} now."


@dataclass(frozen=True)
class Plan:
    """A run to be repeated.

    Attributes
    ----------
    record : dict
        As in ``run.json``.
    folder : Path
        Where that lies.
    stack : Path
        The input.
    read : ReadParams
        How to read it.
    settings : Settings
        Of the run, with the models that were found.
    differences : tuple of Difference
    contours : Path or None
        Contour probability that took the place of Step 1.
    read_contours : ReadParams
        How to read it.
    """

    record: dict[str, Any]
    folder: Path
    stack: Path
    read: ReadParams
    settings: Settings
    differences: tuple[Difference, ...]
    contours: Path | None = None
    read_contours: ReadParams = ReadParams()


def plan_of(
    path: Path | str, stack: Path | str | None = None, contours: Path | str | None = None
) -> Plan:
    """Read the record of a run, find its input and models, and compare them.

    Parameters
    ----------
    path : path
        ``run.json``, or the folder with it.
    stack : path, optional
        The input, where it is no longer where it was.
    contours : path, optional
        The same of the contours that took the place of Step 1.

    Raises
    ------
    InputError
        No record of a whole run, or no input.
    ModelError
        A model is nowhere to be found.
    """
    path = Path(path)
    path = path / "run.json" if path.is_dir() else path
    record = _record(path)
    read = read_params(record)
    read_contours = from_dict(ReadParams, record.get("read_contours", {}))
    source = _source(record, path.parent, stack, read)
    given = None
    if "contours" in record["inputs"]:
        given = _source(record, path.parent, contours, read_contours, "contours")
    elif contours is not None:
        raise InputError("The run made its own contours.", "Leave --contours out.")
    described = record["inputs"]["stack"]
    found = [Difference("input", str(described.get("sha256") or ""), sha256(source), True)]
    if given is not None:
        then = str(record["inputs"]["contours"].get("sha256") or "")
        found.append(Difference("contours", then, sha256(given), True))
    settings = _settings(record)
    for kind in ("contours", "closing") if given is None else ("closing",):
        settings, difference = _with_model(settings, record, kind)
        found.append(difference)
    found += _surroundings(record)
    different = tuple(one for one in found if one.then != one.now)
    return Plan(record, path.parent, source, read, settings, different, given, read_contours)


def rerun(
    plan: Plan,
    out: Path | str,
    *,
    load: Callable[[ModelPackage, DeviceParams], Network] = Network.load,
) -> Steps[dict[str, Any]]:
    """Repeat a run into another folder, and compare the results with those that are still there.

    Parameters
    ----------
    plan : Plan
    out : path
        Not the folder of the run itself. Stopped, it goes on there when asked again.
    load : callable
        Loads a network on a device.

    Yields
    ------
    Progress
        As `pipeline.run`.

    Returns
    -------
    dict
        As written to ``rerun.json``: ``same``, whether all results that could be compared are
        equal, or None where none could; ``results``, by name the share of voxels that differ, None
        where there is nothing to compare with; ``differences``; ``files``.

    Raises
    ------
    InputError
        `out` is the folder of the run.
    OutputError
        No permission or no space to write.
    """
    out = Path(out)
    if out.resolve() == plan.folder.resolve():
        raise InputError(
            f"{out} is the folder of the run itself.", "Choose another one with --out."
        )
    check_writable(out)
    check_file(out / RECORD, lambda path: is_record_of(path, "rerun"))
    image = read_stack(plan.stack, plan.read, lazy=True)
    given, read_given = None, None
    if plan.contours is not None:
        read_given = plan.read_contours
        given = read_stack(plan.contours, read_given, lazy=True)
    written = plan.record.get("files", {})
    outputs = [name for name in OUTPUTS if name in written]
    named = next((format_of(str(written[n]))[0] for n in outputs), "") or "tiff"
    format = cast(FormatName, named)
    # Before hours of work.
    check_results(out, [name + FORMATS[format][0] for name in outputs], replaces="run")
    store = FolderStore(out / "store")
    with store.alone():
        result = yield from run(
            image,
            plan.settings,
            contours=given,
            store=store,
            repair=plan.read.repair,
            load=load,
        )
        processed = plan.record.get("frame", {}).get("results") == "processed"
        restored = None if processed else restored_lazily(result)
        record = yield from saving(
            result, restored, plan.settings, out, format, outputs, plan.read, read_given
        )
    results = {
        name: _share_different(_there(plan.folder, Path(str(written[name]))), record, name)
        for name in outputs
    }
    known = [share for share in results.values() if share is not None]
    report = {
        "command": "rerun",
        "run": str(plan.folder),
        "same": all(share == 0 for share in known) if known else None,
        "results": results,
        "differences": [
            {"what": one.what, "then": one.then, "now": one.now} for one in plan.differences
        ],
        "files": {**record["files"], "rerun": str(out / RECORD)},
    }
    with whole_file(out / RECORD) as beside:
        beside.write_text(json.dumps(report, indent=1) + "\n")
    return report


def _record(path: Path) -> dict[str, Any]:
    hint = "Give the run.json of copnet run."
    if read_record(path, dict, hint).get("command") != "run":
        raise InputError(f"{path} is not the record of a complete run.", hint)
    return read_record(path, _FORM, "Restore it from a copy.")


def _source(
    record: Mapping[str, Any],
    folder: Path,
    given: Path | str | None,
    read: ReadParams,
    what: str = "stack",
) -> Path:
    path = record["inputs"][what]["path"]
    wanted = [Path(given)] if given else [Path(path), folder / path] if path else []
    for candidate in wanted:
        # A record may come from elsewhere, and name pipes and devices.
        if candidate.is_file():
            return candidate
        if candidate.is_dir():
            # Or a whole disk: what is no image is not read from end to end for its hash.
            read_stack(candidate, read, lazy=True)
            return candidate
    raise InputError(
        f"The {what} {wanted[0] if wanted else 'of the run'} can't be found.",
        f"Name it with --{what}.",
    )


def _settings(record: Mapping[str, Any]) -> Settings:
    groups = {}
    for field in fields(Settings):
        kind = type(getattr(Settings(), field.name))
        groups[field.name] = from_dict(kind, record["settings"].get(field.name, {}))
    return Settings(**groups)


def _with_model(
    settings: Settings, record: Mapping[str, Any], kind: str
) -> tuple[Settings, Difference]:
    """Return the settings with the model of the run, found by its hash whatever its name is."""
    group, name = {
        "contours": ("contours", "contour_model"),
        "closing": ("closing", "closing_model"),
    }[kind]
    params = getattr(settings, group)
    then = str(record.get("models", {}).get(kind, {}).get("sha256") or "")
    package = None
    try:
        package = find_model(getattr(params, name), kind)
    except ModelError:
        if not then:
            raise
    if package is None or package.sha256 != then:
        same = [one for one in list_models() if one.kind == kind and one.sha256 == then]
        package = same[0] if same else package
    if package is None:
        raise ModelError(
            f"The {kind} model of the run, {getattr(params, name)}, can't be found.",
            f"Import it again; its weights have the SHA-256 {then[:16]}….",
        )
    if package.sha256 == then:
        params = replace(params, **{name: str(package.folder)})
    changed = replace(settings, **{group: params})
    return changed, Difference(f"{kind} model", then, package.sha256, decides=True)


def _surroundings(record: Mapping[str, Any]) -> list[Difference]:
    now = surroundings()
    then: dict[str, str] = dict(record.get("versions", {}))
    names = sorted(set(then) | set(now["versions"]))
    found = [
        Difference(name, str(then.get(name, "")), str(now["versions"].get(name, "")))
        for name in names
    ]
    return [*found, Difference("machine", str(record.get("machine", "")), now["machine"])]


def _there(folder: Path, path: Path) -> Path | None:
    """Return a file of the run: where it was written, or in the folder that was moved."""
    for candidate in (folder / path.name, path):
        if candidate.exists():
            return candidate
    return None


def _share_different(then: Path | None, record: Mapping[str, Any], name: str) -> float | None:
    if then is None or name not in record["files"]:
        return None
    open_ = read_iterations if name == "iterations" else _opened
    try:
        first, second = open_(then, lazy=True), open_(Path(record["files"][name]), lazy=True)
        if first.shape != second.shape:
            return 1.0
        different = sum(
            int(np.count_nonzero(np.asarray(first[at]) != np.asarray(second[at])))
            for at in np.ndindex(*first.shape[:-2])
        )
        return different / int(np.prod(first.shape))
    except CopnetError:
        # What was there before is damaged: no reason to lose what was repeated.
        return None


def _opened(path: Path, *, lazy: bool) -> Any:
    return read_image(path, lazy=lazy).data
