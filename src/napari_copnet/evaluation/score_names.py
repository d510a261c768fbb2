"""The scores of contours: their names, in what order they are told, and what is better."""

from __future__ import annotations

# Shares of the true cells, which add up to 1.
CELL_SCORES = ("labelled", "merged", "split")
# Of the contour itself, 0 to 1.
CONTOUR_SCORES = ("nsd", "cldice")
SCORES = (*CELL_SCORES, *CONTOUR_SCORES)
FEWER_IS_BETTER = {"merged", "split"}
# As people read them.
TITLES = {name: name for name in CELL_SCORES} | {"nsd": "NSD", "cldice": "clDice"}
# What a curve over iterations shows: of the cells the share that is right, and the contour.
CURVES = ("labelled", *CONTOUR_SCORES)


def title_of(score: str, unit: bool = False) -> str:
    """Return a score's name for people, with ``, %`` for shares of cells where `unit` is asked."""
    title = TITLES.get(score, score)
    return f"{title}, %" if unit and score in CELL_SCORES else title


def told(score: str, value: float) -> tuple[float, int]:
    """Return a score as people read it, and its digits: shares of cells in %, others 0 to 1."""
    return (100 * value, 1) if score in CELL_SCORES else (value, 3)


def score_text(score: str, value: float) -> str:
    """Return a score in words, such as ``labelled 93.1 %`` or ``NSD 0.981``."""
    shown, digits = told(score, value)
    return f"{title_of(score)} {shown:.{digits}f}" + (" %" if score in CELL_SCORES else "")
