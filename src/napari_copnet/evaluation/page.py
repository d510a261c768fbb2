"""The page of an evaluation: scores, slices in pictures, iterations, gaps, cells by size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_copnet.evaluation.figures import (
    length_histogram,
    panels,
    score_bars,
    score_curves,
    verdict,
)
from napari_copnet.evaluation.gap_lengths import missing_lengths
from napari_copnet.evaluation.metrics import LABELLED
from napari_copnet.evaluation.over_iterations import OverIterations
from napari_copnet.evaluation.report import ReportSection, score_table, write_page
from napari_copnet.evaluation.score_names import CURVES, SCORES, title_of
from napari_copnet.evaluation.score_tables import by_size
from napari_copnet.evaluation.scores import Evaluation
from napari_copnet.evaluation.stats import SIGNIFICANT
from napari_copnet.evaluation.true_slices import TrueStack

MOST_SLICES = 3


def evaluation_page(
    path: Path,
    evaluation: Evaluation,
    true: TrueStack,
    predicted: np.ndarray,
    *,
    baseline: np.ndarray | None = None,
    iterations: OverIterations | None = None,
    title: str = "Contours scored against the truth",
) -> Path:
    """Write the page of an evaluation, one self-contained HTML file.

    Parameters
    ----------
    path : Path
    evaluation : Evaluation
        Of `predicted`, with that of `baseline` for its baseline when there is one.
    true : TrueStack
    predicted, baseline : ndarray, shape (Z, Y, X)
        Contour masks, as `TrueStack.prediction` returns them.
    iterations : OverIterations, optional
    title : str

    Raises
    ------
    OutputError
        It can't be written.
    """
    compared = {"prediction": evaluation}
    if evaluation.baseline is not None:
        compared = {"baseline": evaluation.baseline, **compared}
    plain = {name: one.as_dict() for name, one in compared.items()}
    sections = [
        ReportSection(
            "Scores",
            "A true cell is labelled when one predicted cell matches it, merged when it runs into "
            "a neighbour, and split otherwise. Mean ± standard deviation over slices. "
            + _significance(evaluation),
            table=score_table(plain),
            pictures=[score_bars(plain)],
        ),
        _slices(evaluation, true, predicted, baseline),
    ]
    if iterations is not None:
        sections.append(_iterations(iterations))
    if baseline is not None:
        sections.append(_gaps(true, predicted, baseline))
    neighbours = evaluation.neighbours()
    if neighbours is not None:
        sections.append(
            ReportSection(
                "Consistency between slices",
                "clDice between the contours of neighbouring slices, over "
                f"{neighbours['pairs']} pairs: {neighbours['cldice']:.3f} ± "
                f"{neighbours['sd']:.3f}; between the true ones {neighbours['truth']:.3f}.",
            )
        )
    sections.append(
        ReportSection(
            "By cell size", "Four groups of true cells, equal in number.", table=by_size(evaluation)
        )
    )
    lead = (
        f"{evaluation.cells} true cells in {len(evaluation.slices)} slices: "
        f"{100 * evaluation.mean('labelled'):.1f} % labelled, "
        f"{100 * evaluation.mean('merged'):.1f} % merged, "
        f"{100 * evaluation.mean('split'):.1f} % split."
    )
    return write_page(path, title, lead, sections)


def telling_slices(evaluation: Evaluation, most: int = MOST_SLICES) -> list[int]:
    """Return positions of slices worth a picture: where most was gained, and the worst ones."""
    values = np.array([s.labelled if s.cells else np.nan for s in evaluation.slices])
    if np.isnan(values).all():
        return [0]
    chosen: list[int] = []
    if evaluation.baseline is not None:
        before = np.array([s.labelled for s in evaluation.baseline.slices])
        chosen.append(int(np.nanargmax(values - before)))
    for z in np.argsort(values, kind="stable"):
        if len(chosen) < most and int(z) not in chosen and not np.isnan(values[z]):
            chosen.append(int(z))
    return sorted(chosen)


def _significance(evaluation: Evaluation) -> str:
    p = evaluation.as_dict().get("p")
    if not p:
        return ""
    better = [f"{title_of(name)} (p = {p[name]:.2g})" for name in SCORES if p[name] < SIGNIFICANT]
    test = "one-sided Mann–Whitney U over slices"
    if not better:
        return f"Nothing is significantly better than the baseline ({test})."
    return f"Significantly better than the baseline ({test}): {', '.join(better)}."


def _slices(
    evaluation: Evaluation, true: TrueStack, predicted: np.ndarray, baseline: np.ndarray | None
) -> ReportSection:
    pictures = []
    for z in telling_slices(evaluation):
        this = true.slice(z)
        shown = {}
        contours = {"baseline": baseline, "prediction": predicted}
        for name, contour in contours.items():
            if contour is None:
                continue
            fates = this.fates(contour[z])
            right = fates.ids[fates.fates == LABELLED]
            heading = f"{name}, slice {evaluation.slices[z].slice}: {right.size} correct"
            shown[heading] = verdict(this.cells, contour[z], right, this.out)
        everything = np.unique(this.cells)
        shown[f"truth: {np.count_nonzero(everything)} cells"] = verdict(
            this.cells, this.contour, everything, this.out
        )
        pictures.append(panels(shown))
    return ReportSection(
        "Slices",
        "Correctly labelled cells are coloured, errors black, contours white, and areas that are "
        "not scored red; grey is neither cell nor contour, such as a gap. A cell has the "
        "same colour in all panels. Shown are the slice that gained most and the worst ones.",
        pictures=pictures,
    )


def _iterations(iterations: OverIterations) -> ReportSection:
    names = {name: title_of(name) for name in CURVES}
    return ReportSection(
        "By iteration",
        "Scores after each closing iteration, and the share of pixels that crossed the contour "
        "threshold in it.",
        pictures=[
            score_curves(
                {label: iterations.means(name) for name, label in names.items()},
                iterations.changed,
            )
        ],
    )


def _gaps(true: TrueStack, predicted: np.ndarray, baseline: np.ndarray) -> ReportSection:
    lengths: dict[str, list[np.ndarray]] = {
        "gaps of the baseline": [], "remaining gaps": [], "added to the baseline": [],
    }  # fmt: skip
    for z in range(len(true)):
        this = true.slice(z)
        kept = np.ones(this.cells.shape, bool) if this.out is None else ~this.out
        truth, after, before = (
            (contour > 0) & kept for contour in (this.contour, predicted[z], baseline[z])
        )
        tolerance = this.params.tolerance
        lengths["gaps of the baseline"].append(missing_lengths(truth, before, tolerance))
        lengths["remaining gaps"].append(missing_lengths(truth, after, tolerance))
        lengths["added to the baseline"].append(missing_lengths(after, before, tolerance))
    return ReportSection(
        "Gap lengths",
        "A gap is a piece of the true centreline more than "
        f"{true.params.tolerance:g} px away from the contour. Added lines are pieces of the "
        "predicted centreline this far from the baseline. Numbers in brackets are counts.",
        pictures=[length_histogram({name: np.concatenate(v) for name, v in lengths.items()})],
    )
