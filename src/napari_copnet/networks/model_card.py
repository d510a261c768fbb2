"""What a model's card says, in lines for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_copnet.networks.package import ModelPackage

# What a card calls the scores of the training, and how they are told; shares, 0 to 1.
_SCORES = {"validation_dice": "contour Dice on held-out slices", "labelled": "cells correct"}


@dataclass(frozen=True)
class TissueScore:
    """How a model did on slices that it has not learnt from.

    Attributes
    ----------
    data : str
        The data set.
    knows : str
        What the model knows of such tissue, such as ``"never saw it"``.
    size : int
        Longer side at which the slices were seen, px.
    before, after : float
        Share of true cells that are labelled by Step 1 alone and after closing, 0 to 1.
    """

    data: str
    knows: str
    size: int
    before: float
    after: float

    def __str__(self) -> str:
        return (
            f"{100 * self.before:.0f} % of the cells of {self.data} ({self.knows}), "
            f"{100 * self.after:.0f} % after closing, at {self.size} px"
        )


def tissue_scores(card: Mapping[str, Any]) -> list[TissueScore]:
    """Return the scores of a card by tissue; what is not such a score is left out.

    Parameters
    ----------
    card : mapping
        With ``tissues``: a list of the attributes of `TissueScore`. It may come from elsewhere,
        and hold anything.
    """
    rows = card.get("tissues")
    found = []
    for row in rows if isinstance(rows, list) else []:
        try:
            one = TissueScore(
                str(row["data"])[:200],
                str(row["knows"])[:100],
                int(row["size"]),
                float(row["before"]),
                float(row["after"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if 0 <= one.before <= 1 and 0 <= one.after <= 1:
            found.append(one)
    return found


def training_scores(card: Mapping[str, Any]) -> list[str]:
    """Return what a card says of the training's own scores, such as ``"cells correct 71.0 %"``."""
    scores = card.get("scores")
    scores = scores if isinstance(scores, dict) else {}
    found = [
        f"{text} {100 * float(scores[key]):.1f} %"
        for key, text in _SCORES.items()
        if _is_number(scores.get(key))
    ]
    if _is_number(scores.get("epoch")):
        found.append(f"{scores['epoch']:.0f} epochs")
    return found


def learning_curve(card: Mapping[str, Any], most: int = 5) -> str:
    """Return a few points of a card's learning curve as text, ``""`` where it has none.

    Parameters
    ----------
    card : mapping
        With ``curve``: pairs of step and validation Dice. It may come from elsewhere.
    most : int
        Points to tell, evenly spaced, with the first and the last.
    """
    rows = card.get("curve")
    points = [
        (row[0], row[1])
        for row in (rows if isinstance(rows, list) else [])
        if isinstance(row, list) and len(row) == 2 and all(map(_is_number, row))
    ]
    if len(points) < 2:
        return ""
    count = min(most, len(points))
    chosen = [points[round(at * (len(points) - 1) / (count - 1))] for at in range(count)]
    return ", ".join(f"{100 * dice:.1f} % after {step:,.0f} steps" for step, dice in chosen)


def card_lines(model: ModelPackage) -> list[str]:
    """Return what is known of a model: origin, training, tissues, scores and licence."""
    card = model.card
    lines = [f"{model.name} ({model.kind})", f"  folder: {model.folder}"]
    if card.get("created"):
        lines.append(f"  made: {str(card['created'])[:10]}")
    parent = card.get("parent")
    if isinstance(parent, dict) and parent.get("name"):
        lines.append(f"  began as: {parent['name']}")
    if _is_number(card.get("seconds")):
        took = f"{card['seconds'] / 60:.0f} minutes on {card.get('device', 'an unknown device')}"
        steps = f", {card['steps']} steps" if _is_number(card.get("steps")) else ""
        lines.append(f"  trained: {took}{steps}")
    if scores := training_scores(card):
        lines.append(f"  scores: {', '.join(scores)}")
    if curve := learning_curve(card):
        lines.append(f"  contour Dice on the way: {curve}")
    scored = [str(one) for one in tissue_scores(card)]
    for title, rows in (
        ("learnt from", model.data),
        ("labelled in slices that it has not learnt from", scored),
    ):
        if rows:
            lines += [f"  {title}:", *(f"    {row}" for row in rows)]
    for key in ("licence", "command"):
        if card.get(key):
            lines.append(f"  {key}: {card[key]}")
    return lines


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
