"""What a verdict says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

GREEN, AMBER, RED = "green", "amber", "red"
# From best to worst.
LIGHTS = (GREEN, AMBER, RED)
# The ways on that a reason may name.
SIZES, INVERT, TEACH = "sizes", "invert", "teach"


@dataclass(frozen=True)
class Reason:
    """One thing that speaks against a run.

    Attributes
    ----------
    measure : str
        What was measured; see `measures.slice_measures` and `judge`.
    light : str
        ``"amber"`` or ``"red"``.
    says : str
        One sentence, with the way on.
    next : str
        The way on: ``"sizes"``, ``"invert"``, ``"teach"``, or empty.
    """

    measure: str
    light: str
    says: str
    next: str = ""


@dataclass(frozen=True)
class Verdict:
    """How far the cells of a run can be trusted, judged without knowing the true ones.

    Attributes
    ----------
    light : str
        ``"green"``, ``"amber"`` or ``"red"``.
    says : str
        One sentence for the user.
    reasons : tuple of Reason
        The gravest first.
    expected : float
        Share of cells that is probably right, 0 to 1.
    measures : mapping
        Medians over the slices that were looked at.
    slices : tuple of int
        Those slices.
    size : int
        Longer side that the networks saw, px.
    """

    light: str
    says: str
    reasons: tuple[Reason, ...] = ()
    expected: float = 0.0
    measures: Mapping[str, float] = field(default_factory=dict)
    slices: tuple[int, ...] = ()
    size: int = 0

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways on that the reasons name, the gravest reason's first."""
        return tuple(dict.fromkeys(reason.next for reason in self.reasons if reason.next))

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, for a record; measures that are not known are None."""
        return {
            "light": self.light,
            "says": self.says,
            "reasons": [dict(vars(reason)) for reason in self.reasons],
            "expected": round(self.expected, 3),
            "measures": {
                name: None if value != value else round(float(value), 4)
                for name, value in self.measures.items()
            },
            "slices": list(self.slices),
            "size": self.size,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Verdict:
        """Return the verdict that `as_dict` described."""
        measures = {
            name: float("nan") if value is None else float(value)
            for name, value in kept["measures"].items()
        }
        return cls(
            kept["light"],
            kept["says"],
            tuple(Reason(**reason) for reason in kept["reasons"]),
            kept["expected"],
            measures,
            tuple(kept["slices"]),
            kept["size"],
        )
