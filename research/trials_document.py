"""docs/experiments.md: the table of all trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_copnet.evaluation.score_names import title_of
from napari_copnet.files import whole_file
from napari_copnet.runs.run_record import surroundings
from research.trials import Trial

SHORT = {score: title_of(score) for score in ("labelled", "split", "nsd", "cldice")}
STAGES = {"once": "1 iteration", "closed": "the last"}

_HEAD = """# Experiments on closing

Written by `make experiments`. {when}, {machine}. Default models
(hashes): contours {step1}, closing {closing}.

Changes that might improve closing, tried one at a time on validation blocks that no closing
network was trained on: {blocks}. All start from the map of the default Step 1. **One seed
each, and trainings of minutes: differences of a point or two are noise.** {trained}Settings were
chosen with these blocks in view; isbi2012 is never used for training.

Percentage points relative to Step 1 alone, after convergence:
**labelled / split / NSD / clDice** (labelled and the contour scores should rise, split should not).
"""
_TRAINED = """Trainings start from the shipped closing network unless stated otherwise, and take
{steps} steps on a part of the default model's data with a decaying learning rate; compare them with
the row "trained on with the default's settings". """


def write_trials(
    trials: Sequence[Trial], results: Mapping[str, Mapping[str, Any]], out: Path
) -> Path:
    """Write ``experiments.md`` into a folder.

    Parameters
    ----------
    trials : sequence of Trial
    results : mapping
        By name of the trial, as `experiments.run` returns them; those missing are left out.
    out : Path

    Returns
    -------
    Path
        Of the document.
    """
    made = [trial for trial in trials if trial.name in results]
    parts = []
    if made:
        some = results[made[0].name]["scores"]
        steps = sorted({r["steps"] for r in results.values() if r["steps"]})
        where = surroundings()
        parts.append(
            _HEAD.format(
                when=where["date"][:10],
                machine=where["machine"],
                step1=results[made[0].name]["recipe"]["step1"][:12],
                closing=results[made[0].name]["recipe"]["closing"][:12],
                blocks=", ".join(f"{name} ({some[name]['slices']} slices)" for name in some),
                trained=_TRAINED.format(steps=" or ".join(map(str, steps))) if steps else "",
            )
        )
        parts.append(_table(_levels(some)))
    for title, chosen in (
        ("Applying the network", [trial for trial in made if trial.train is None]),
        ("Training it", [trial for trial in made if trial.train is not None]),
    ):
        if chosen:
            parts.append(f"## {title}\n\n{_table(_gains(chosen, results))}")
    applied = [trial for trial in made if trial.train is None]
    if applied:
        parts.append(f"## After one iteration and the last\n\n{_table(_over(applied, results))}")
    missing = [trial for trial in trials if trial.name not in results]
    if missing:
        lines = [f"- {trial.title}" for trial in missing]
        parts.append("## Not measured yet\n\n" + "\n".join(lines) + "\n")
    path = out / "experiments.md"
    with whole_file(path) as beside:
        beside.write_text("\n".join(parts), encoding="utf-8")
    return path


def _levels(scores: Mapping[str, Any]) -> list[list[str]]:
    rows = [["Step 1 alone, %", *SHORT.values()]]
    return rows + [
        [name, *(f"{100 * block['step1'][score]:.1f}" for score in SHORT)]
        for name, block in scores.items()
    ]


def _gains(trials: Sequence[Trial], results: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    names = list(results[trials[0].name]["scores"])
    rows = [["tried", *names, "kept?"]]
    for trial in trials:
        scores = results[trial.name]["scores"]
        gains = [
            " / ".join(
                f"{100 * (scores[name]['closed'][score] - scores[name]['step1'][score]):+.1f}"
                for score in SHORT
            )
            for name in names
        ]
        rows.append([trial.title, *gains, trial.verdict or "–"])
    return rows


def _over(trials: Sequence[Trial], results: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    names = list(results[trials[0].name]["scores"])
    rows = [["labelled / split, %", "after", *names]]
    for trial in trials:
        scores = results[trial.name]["scores"]
        for stage, words in STAGES.items():
            row = [trial.title, words]
            for name in names:
                block = scores[name]
                found = block[stage]
                text = f"{100 * found['labelled']:.1f} / {100 * found['split']:.1f}"
                row.append(text + (f" ({block['iterations']})" if stage == "closed" else ""))
            rows.append(row)
    return rows


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "| --- " * len(rows[0]) + "|")
    return "\n".join(lines) + "\n"
