"""Pictures of a run: panels side by side, the convergence curve, scores before and after."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# By which a picture is known as one of ours.
_SOFTWARE = "napari-copnet"

ADDED = (0.13, 0.70, 0.42)
EXCLUDED = (0.80, 0.10, 0.12)
# Neither cell nor contour: what the true contour has and the drawn one lacks shows in it.
NEITHER = (0.35, 0.35, 0.35)


def grey(image: np.ndarray) -> np.ndarray:
    """Return an image (Y, X) of any range as RGB (Y, X, 3) in 0 to 1, percentiles 1 to 99."""
    low, high = np.percentile(image, (1, 99))
    scaled = np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    return np.repeat(scaled[..., None], 3, axis=-1)


def coloured(labels: np.ndarray) -> np.ndarray:
    """Return labels (Y, X) as RGB (Y, X, 3): a colour for each cell, black without one."""
    highest = int(labels.max(initial=0))
    hues = (np.arange(highest + 1) * 0.61803398875) % 1.0
    table = hsv_to_rgb(
        np.stack(
            [hues, 0.45 + 0.3 * ((np.arange(highest + 1) * 7) % 5) / 4, np.full(highest + 1, 0.95)],
            axis=-1,
        )
    )
    table[0] = 0
    return table[labels]


def closed_over(image: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Return an image with contours on it: Step 1's in white, what closing added in green."""
    rgb = 0.6 * grey(image)
    rgb[np.asarray(before) > 0] = 1.0
    rgb[(np.asarray(after) > 0) & ~(np.asarray(before) > 0)] = ADDED
    return rgb


def overlay(image: np.ndarray, labels: np.ndarray, opacity: float = 0.55) -> np.ndarray:
    """Return cells in colour over an image."""
    rgb = grey(image)
    inside = labels > 0
    rgb[inside] = (1 - opacity) * rgb[inside] + opacity * coloured(labels)[inside]
    return rgb


def verdict(
    cells: np.ndarray,
    contour: np.ndarray,
    correct: np.ndarray,
    excluded: np.ndarray | None = None,
) -> np.ndarray:
    """Return true cells under a contour: correct ones in colour, errors black.

    Parameters
    ----------
    cells : ndarray, shape (Y, X), unsigned int
        True cells; a cell has the same colour under every contour.
    contour : ndarray, shape (Y, X)
        Drawn white on top.
    correct : ndarray, shape (N,), int
        Which of the cells are correct.
    excluded : ndarray, shape (Y, X), bool, optional
        Drawn red.

    Returns
    -------
    ndarray, shape (Y, X, 3), float, 0 to 1
    """
    rgb = coloured(np.where(np.isin(cells, correct), cells, 0))
    rgb[cells == 0] = NEITHER
    rgb[np.asarray(contour) > 0] = 1.0
    if excluded is not None:
        rgb[excluded] = EXCLUDED
    return rgb


def panels(pictures: Mapping[str, np.ndarray]) -> bytes:
    """Return pictures (Y, X, 3) or maps (Y, X) in 0 to 1 side by side as a PNG, titles above."""
    height, width = next(iter(pictures.values())).shape[:2]
    side = 4.2
    figure = Figure(figsize=(side * len(pictures), side * height / width + 0.4), dpi=110)
    axes = figure.subplots(1, len(pictures), squeeze=False)[0]
    for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
        axis.imshow(picture, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title, fontsize=12)
        axis.set_axis_off()
    figure.tight_layout(pad=0.4)
    return _png(figure)


def convergence(changed: Sequence[float], tolerance: float, counts: Sequence[int] = ()) -> bytes:
    """Return the changed share by iteration against the tolerance, as a PNG.

    Parameters
    ----------
    changed : sequence of float
        Share of pixels that changed in each iteration, 0 to 1.
    tolerance : float
        Where the iterations stop.
    counts : sequence of int
        Cells after each iteration, drawn on a second axis when given.
    """
    figure = Figure(figsize=(5.2, 3.2), dpi=110)
    axis = figure.add_subplot()
    steps = np.arange(1, len(changed) + 1)
    axis.plot(steps, 100 * np.maximum(changed, 1e-7), "o-", color="#1f5fa8", label="changed")
    axis.axhline(100 * tolerance, color="#888888", linestyle="--", linewidth=1)
    axis.text(
        0.99, 100 * tolerance, f"stop below {100 * tolerance:g} %", fontsize=9, color="#555555",
        va="bottom", ha="right", transform=axis.get_yaxis_transform(),
    )  # fmt: skip
    axis.set_yscale("log")
    axis.set_xlabel("iteration")
    axis.set_ylabel("changed pixels, %")
    axis.set_xticks(steps if len(steps) <= 15 else steps[:: len(steps) // 10])
    if counts:
        other = axis.twinx()
        other.plot(steps, counts, "s:", color="#c2571a")
        other.set_ylabel("cells", color="#c2571a")
    figure.tight_layout(pad=0.5)
    return _png(figure)


def score_bars(scores: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return labelled, merged and split by method as stacked bars in a PNG.

    Parameters
    ----------
    scores : mapping
        Method to a mapping with ``labelled``, ``merged`` and ``split``, 0 to 1.
    """
    figure = Figure(figsize=(5.2, 0.7 + 0.55 * len(scores)), dpi=110)
    axis = figure.add_subplot()
    colours = {"labelled": "#2a9d62", "merged": "#c63b43", "split": "#e0a030"}
    names = list(scores)
    left = np.zeros(len(names))
    for part, colour in colours.items():
        values = np.array([100 * float(scores[name][part]) for name in names])
        bars = axis.barh(names, values, left=left, color=colour, label=part)
        axis.bar_label(
            bars, [f"{v:.0f}" if v >= 4 else "" for v in values], label_type="center",
            color="white", fontsize=10,
        )  # fmt: skip
        left += values
    axis.invert_yaxis()
    axis.set_xlim(0, 100)
    axis.set_xlabel("true cells, %")
    axis.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize=9)
    figure.tight_layout(pad=0.5)
    return _png(figure)


def score_curves(scores: Mapping[str, Sequence[float]], changed: Sequence[float]) -> bytes:
    """Return scores over iterations, and the changed share under them, as a PNG.

    Parameters
    ----------
    scores : mapping
        Name to a value, 0 to 1, after 0 (Step 1), 1, 2 ... iterations.
    changed : sequence of float
        Share of pixels that changed in iteration 1, 2 ...
    """
    figure = Figure(figsize=(6.4, 5.0), dpi=110)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for name, values in scores.items():
        upper.plot(range(len(values)), 100 * np.asarray(values), "o-", markersize=3, label=name)
    upper.set_ylim(0, 101)
    upper.set_ylabel("score, %")
    upper.grid(alpha=0.3)
    upper.legend(ncols=len(scores), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    steps = np.arange(1, len(changed) + 1)
    lower.plot(steps, 100 * np.maximum(changed, 1e-7), "o-", markersize=3, color="#1f5fa8")
    lower.set_yscale("log")
    lower.set_ylabel("changed pixels, %")
    lower.set_xlabel("iteration (0 is Step 1)")
    lower.xaxis.set_major_locator(MaxNLocator(integer=True))
    lower.grid(alpha=0.3)
    figure.tight_layout(pad=0.5)
    return _png(figure)


def length_histogram(lengths: Mapping[str, np.ndarray]) -> bytes:
    """Return how many gaps there are by length as a PNG, lengths on a logarithmic axis.

    Parameters
    ----------
    lengths : mapping
        What it is, to the lengths of its pieces in px.
    """
    figure = Figure(figsize=(6.4, 3.4), dpi=110)
    axis = figure.add_subplot()
    longest = max([int(np.max(values, initial=1)) for values in lengths.values()], default=1)
    bins = [2.0**power for power in range(int(np.ceil(np.log2(longest + 1))) + 1)]
    for name, values in lengths.items():
        label = f"{name} ({len(values)})"
        axis.hist(values, bins=bins, histtype="step", linewidth=1.8, label=label)
    axis.set_xscale("log", base=2)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_xlabel("length, px")
    axis.set_ylabel("pieces")
    axis.legend(frameon=False, fontsize=9)
    figure.tight_layout(pad=0.5)
    return _png(figure)


def heat_map(
    values: np.ndarray, rows: Sequence[str], columns: Sequence[str], names: tuple[str, str], of: str
) -> bytes:
    """Return a table of values as colours with numbers, as a PNG.

    Parameters
    ----------
    values : ndarray, shape (R, C), float
        In %, NaN where there is none.
    rows, columns : sequence of str
        What each row and column stands for.
    names : tuple of str
        What rows and columns vary.
    of : str
        What the values are.
    """
    figure = Figure(figsize=(2.6 + 0.9 * len(columns), 1.6 + 0.6 * len(rows)), dpi=110)
    axis = figure.add_subplot()
    shown = np.ma.masked_invalid(np.asarray(values, float))
    drawn = axis.imshow(shown, cmap="viridis", aspect="auto")
    low, high = (float(shown.min()), float(shown.max())) if shown.count() else (0.0, 1.0)
    for (y, x), value in np.ndenumerate(np.asarray(values, float)):
        if np.isfinite(value):
            dark = value < (low + high) / 2
            axis.text(
                x, y, f"{value:.1f}", ha="center", va="center",
                color="white" if dark else "black",
            )  # fmt: skip
    axis.set_yticks(range(len(rows)), rows)
    axis.set_xticks(range(len(columns)), columns)
    axis.set_ylabel(names[0])
    axis.set_xlabel(names[1])
    figure.colorbar(drawn, label=of)
    figure.tight_layout(pad=0.5)
    return _png(figure)


def is_picture(path: Path) -> bool:
    """Whether a file is a picture made here."""
    with path.open("rb") as file:
        start = file.read(1 << 12)
    return start.startswith(b"\x89PNG") and f"Software\0{_SOFTWARE}".encode() in start


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": _SOFTWARE})
    return buffer.getvalue()
