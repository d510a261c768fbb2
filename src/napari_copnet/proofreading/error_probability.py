"""How likely a suspect is an error, and what its correction wins: a logistic model.

The numbers lie in ``queue_weights.json``, which ``python -m research.fit_queue`` makes
anew from slices whose truth is known; see docs/proofreading.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from napari_copnet.boundaries.gaps import GAP, Suspect

WEIGHTS_FILE = Path(__file__).with_name("queue_weights.json")
# What a likelihood is told from, in the order of the weights.
FEATURES = (
    "1",
    "log probability after closing",
    "log probability of Step 1",
    "log weakest probability",
    "log width",
    "log smaller side over usual cell",
    "log smaller over larger side",
    "witness",
    "fit of the smaller side",
    "fit of the larger side",
    "fit of both",
    "echo",
    "added",
    "log depth of the smaller side",
    "log width over the depth of the smaller side",
    "solidity of the smaller side",
    "solidity lost by both",
    # Sides of the usual size are the likeliest cells: both far smaller and far larger ones are not.
    "log smaller side over usual cell, squared",
    "log smaller over larger side, squared",
    "membrane",
    "weakest membrane",
    "share of membrane",
    "membrane beside both sides",
)
# Walls that are drawn and walls that are missing have weights of their own.
DRAWN, MISSING = "drawn", "missing"
# What only an image tells. Where it tells nothing these are 0, and all weights are others.
OF_IMAGE = FEATURES[-4:]


@dataclass(frozen=True)
class Weights:
    """Weights for one sort of suspect, with an image or without.

    Attributes
    ----------
    error : tuple of float
        Logit that the wall is wrong, by feature.
    wins : tuple of float
        Logit that its correction leaves more cells labelled, by feature.
    gain : float
        Mean number of cells won when it wins.
    """

    error: tuple[float, ...]
    wins: tuple[float, ...]
    gain: float


def sort_of(kind: str) -> str:
    """Return whose weights count for a kind of suspect."""
    return MISSING if kind == GAP else DRAWN


def weights_for(sort: str, seen: bool) -> str:
    """Return the name of the weights for a sort of suspect, with an image or without."""
    return sort if seen else f"{sort}, no image"


def features(suspect: Suspect, usual: float) -> tuple[float, ...]:
    """Return what `FEATURES` names.

    Parameters
    ----------
    suspect : Suspect
    usual : float
        Median area of a cell of the stack, px.
    """
    shallow = max(suspect.depths[0], 0.5)
    small, large, both = suspect.solid
    mean = (suspect.small * small + suspect.large * large) / max(suspect.small + suspect.large, 1)
    size = math.log(max(suspect.small, 1) / max(usual, 1.0))
    ratio = math.log(max(suspect.small, 1) / max(suspect.large, 1))
    return (
        1.0,
        math.log(suspect.probability + 0.01),
        math.log(suspect.first_probability + 0.01),
        math.log(max(suspect.weakest, 0.0) + 0.01),
        math.log(max(suspect.width, 1e-3)),
        size,
        ratio,
        suspect.witness,
        *suspect.fits,
        suspect.echo,
        suspect.added,
        math.log(shallow),
        math.log(suspect.width * max(suspect.small, 1) ** 0.5 / (2 * shallow)),
        small,
        mean - both,
        size**2,
        ratio**2,
        *(astuple(suspect.membrane) if suspect.membrane else (0.0,) * len(OF_IMAGE)),
    )


def judged(suspect: Suspect, usual: float) -> tuple[float, float]:
    """Return how likely a suspect is an error, and the labelled cells its correction wins.

    Returns
    -------
    likely : float
        0 to 1.
    wins : float
        Expected, 0 to 2.
    """
    weights = read_weights()[weights_for(sort_of(suspect.kind), suspect.membrane is not None)]
    values = features(suspect, usual)
    return _logistic(weights.error, values), _logistic(weights.wins, values) * weights.gain


@cache
def read_weights(path: Path = WEIGHTS_FILE) -> dict[str, Weights]:
    """Return the weights by the names that `weights_for` gives."""
    found = json.loads(path.read_text())["weights"]
    return {
        sort: Weights(
            tuple(values["error"][name] for name in FEATURES),
            tuple(values["wins"][name] for name in FEATURES),
            float(values["gain"]),
        )
        for sort, values in found.items()
    }


def _logistic(weights: Sequence[float], values: Sequence[float]) -> float:
    strength = sum(w * v for w, v in zip(weights, values, strict=True))
    return 1 / (1 + math.exp(-max(min(strength, 50.0), -50.0)))
