"""docs/results.md and its figures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from napari_copnet.evaluation.baselines.comparison import CEILING, STEP1
from napari_copnet.evaluation.figures import panels, score_bars, score_curves, verdict
from napari_copnet.evaluation.metrics import LABELLED
from napari_copnet.evaluation.page import telling_slices
from napari_copnet.evaluation.report import score_table
from napari_copnet.evaluation.score_names import CURVES, SCORES, title_of
from napari_copnet.evaluation.stats import SIGNIFICANT
from napari_copnet.files import whole_file
from napari_copnet.runs.run_record import surroundings
from research.goals import goal_table, goals_of
from research.methods import CONVERGED, OURS, Choices, DataSetOutcome

_HEAD = """# Results

Written by `make results` from public data: do not edit. {how}

Contours are scored at the size the networks see (512 px), with true lines 3 px wide, by the paper's
rule: a true cell is *labelled* when one predicted cell matches it to 85 %, *merged* when it runs
into a neighbour, and *split* otherwise. Mean ± standard deviation over slices. NSD has a tolerance
of 2 px. The last row of each table is the ceiling: the ground truth scored as a prediction.
Baselines were tuned on the named training slices to label as many cells as possible, and never saw
the scored slices. *Closing, converged* ends with an iteration that closes likely gaps; *the network
alone* does not. A star marks results significantly better than Step 1 alone (one-sided Mann–Whitney
U test over slices, p < {level:g}).
"""


def write_results(
    outcomes: Sequence[DataSetOutcome], notes: Sequence[str], out: Path, choices: Choices
) -> Path:
    """Write ``results.md``, ``results.json`` and ``images/results-*.png`` into a folder.

    Parameters
    ----------
    outcomes : sequence of DataSetOutcome
    notes : sequence of str
        What was left out, and why.
    out : Path
    choices : Choices

    Returns
    -------
    Path
        Of the document.
    """
    parts = [_HEAD.format(how=_how(outcomes, choices), level=SIGNIFICANT)]
    parts += [f"{note}\n" for note in notes]
    parts.append("## Closing, converged, in short\n\n" + _markdown(goal_table(outcomes)) + "\n")
    for outcome in outcomes:
        pictures = _pictures(outcome, out / "images")
        parts.append(_section(outcome, pictures))
    path = out / "results.md"
    with whole_file(path) as beside:
        beside.write_text("\n".join(parts), encoding="utf-8")
    record = {
        **surroundings(),
        "notes": list(notes),
        "limit": choices.limit,
        "datasets": {outcome.dataset.name: _plain(outcome) for outcome in outcomes},
    }
    with whole_file(choices.work / "results.json") as beside:
        beside.write_text(json.dumps(record, indent=1) + "\n")
    return path


def _how(outcomes: Sequence[DataSetOutcome], choices: Choices) -> str:
    made = surroundings()
    text = f"{made['date'][:10]}, {made['machine']}."
    models = sorted({model for outcome in outcomes for model in outcome.models.values()})
    text += f" Models (name and hash): {', '.join(models)}."
    if choices.limit:
        text += f" **A trial: only {choices.limit} slices of each block.**"
    return text


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| --- " * len(rows[0]) + "|")
    return "\n".join(lines)


def _section(outcome: DataSetOutcome, pictures: Sequence[str]) -> str:
    dataset, methods = outcome.dataset, outcome.methods
    rows = score_table({one.title: one.scores.as_dict() for one in methods.values()})
    lines = [f"## {dataset.title}", "", dataset.about, ""]
    starred = [
        [row[0], *_starred(row[1:], one.scores.as_dict())]
        for row, one in zip(rows[1:], methods.values(), strict=True)
    ]
    lines += [_markdown([rows[0], *starred]), "", _sentence(outcome), ""]
    lines += [f"![{dataset.title}](images/{name})\n" for name in pictures]
    chosen = [
        f"{one.title}: "
        + ", ".join(f"{k} {v:.4g}" for k, v in one.settings.items() if isinstance(v, int | float))
        for one in methods.values()
        if one.settings
    ]
    if chosen:
        lines += ["Chosen by tuning: " + "; ".join(chosen) + ".", ""]
    return "\n".join(lines)


def _starred(cells: Sequence[str], scores: dict[str, Any]) -> list[str]:
    p = scores.get("p", {})
    return [
        f"{cell} *" if p.get(name, 1.0) < SIGNIFICANT else cell
        for name, cell in zip(SCORES, cells, strict=True)
    ]


def _sentence(outcome: DataSetOutcome) -> str:
    methods = outcome.methods
    closed, before = methods[CONVERGED].scores, methods[STEP1].scores
    gain = 100 * (closed.mean("labelled") - before.mean("labelled"))
    more = 100 * (closed.mean("split") - before.mean("split"))
    text = (
        f"{closed.cells} true cells in {len(closed.slices)} slices. Closing against Step 1 alone: "
        f"labelled {gain:+.1f}, split {more:+.1f} points, after {len(outcome.changed)} iterations."
    )
    baselines = {name: one for name, one in methods.items() if name not in (STEP1, CEILING, *OURS)}
    if baselines:
        best = max(baselines.values(), key=lambda one: one.scores.mean("labelled"))
        text += (
            f" The best baseline on labelled is {best.title} "
            f"({100 * best.scores.mean('labelled'):.1f} %)."
        )
    if outcome.over is not None:
        last = outcome.over.means("labelled")
        text += (
            f" After {len(last) - 1} iterations without a stop {100 * last[-1]:.1f} % are labelled."
        )
    neighbours = closed.neighbours()
    if neighbours:
        text += (
            f" clDice between neighbouring slices: {neighbours['cldice']:.2f} ± "
            f"{neighbours['sd']:.2f} (truth {neighbours['truth']:.2f})."
        )
    return text


def _pictures(outcome: DataSetOutcome, folder: Path) -> list[str]:
    methods, true = outcome.methods, outcome.scored.true
    z = telling_slices(methods[CONVERGED].scores, most=1)[0]
    this = true.slice(z)
    shown: dict[str, np.ndarray] = {}
    for name in (STEP1, "watershed", CONVERGED):
        if name in methods:
            fates = this.fates(methods[name].mask[z])
            right = fates.ids[fates.fates == LABELLED]
            title = f"{methods[name].title}: {right.size} correct"
            shown[title] = verdict(this.cells, methods[name].mask[z], right, this.out)
    cells = np.unique(this.cells)
    shown[f"truth: {np.count_nonzero(cells)} cells"] = verdict(
        this.cells, this.contour, cells, this.out
    )
    name = outcome.dataset.name
    made = {f"results-{name}-slice.png": panels(shown)} if outcome.dataset.is_free else {}
    made |= {
        f"results-{name}-scores.png": score_bars(
            {one.title: one.scores.as_dict() for one in methods.values()}
        ),
    }
    if outcome.over is not None:
        made[f"results-{name}-iterations.png"] = score_curves(
            {title_of(score): outcome.over.means(score) for score in CURVES},
            outcome.over.changed,
        )
    for file, picture in made.items():
        with whole_file(folder / file) as beside:
            beside.write_bytes(picture)
    return list(made)


def _plain(outcome: DataSetOutcome) -> dict[str, Any]:
    return {
        "title": outcome.dataset.title,
        "models": outcome.models,
        "goals": [asdict(goal) for goal in goals_of(outcome)],
        "changed": outcome.changed,
        "methods": {name: one.as_dict() for name, one in outcome.methods.items()},
        "iterations": None if outcome.over is None else outcome.over.as_dict(),
    }
