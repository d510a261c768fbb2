"""The settings of the steps that a stack passes through."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class ReadParams:
    """How to read a stack whose file leaves something unclear."""

    voxel_size: str | None = setting(
        None,
        "Voxel size",
        "z,y,x in µm, such as 0.05,0.015,0.015. Overrides the file.",
        unit="µm",
    )
    rgb: str = setting(
        "ask",
        "Colour images",
        "How to treat a colour image: ask stops with a hint, luminance converts it to grey, "
        "first uses the first channel.",
        choices=("ask", "luminance", "first"),
        advanced=True,
    )
    axes: str | None = setting(
        None,
        "Axes",
        "Order of the axes, such as ZYX, TYX, CZYX or TZYX, if the file does not state it.",
        advanced=True,
    )
    channel: int | None = setting(
        None, "Channel", "Channel to use if the file has several.", minimum=0, advanced=True
    )
    time_point: int | None = setting(
        None,
        "Time point",
        "Time point to use if the file has both time and depth.",
        minimum=0,
        advanced=True,
    )
    repair: bool = setting(
        False,
        "Repair",
        "Fill NaN and infinite pixels from their neighbours instead of stopping.",
    )


@dataclass(frozen=True)
class PreprocessParams:
    """Normalise, resize and align a stack."""

    normalise: bool = setting(
        True, "Normalise", "Scale each slice to mean 0 and standard deviation 1 (z-score)."
    )
    padding: bool = setting(
        True,
        "Find padding",
        "Find constant borders and holes in each slice, leave them out of the normalisation, fill "
        "them for the networks, and keep contours, cells and scores out of them.",
        advanced=True,
    )
    invert: str = setting(
        "auto",
        "Invert",
        "Exchange dark and light: the networks were trained on dark membranes. auto inverts if the "
        "contour network is clearly more certain of inverted slices (up to three are tried).",
        choices=("auto", "yes", "no"),
    )
    size: int | None = setting(
        None,
        "Size",
        "Longer in-plane side after resizing; 0 keeps the size of the stack. auto first tries "
        "several sizes on three slices, and uses the one at which cells stand out best. The "
        "shorter side of strips (over twice as long as wide) is kept at half of this size or more.",
        unit="px",
        minimum=0,
        maximum=65536,
        none="auto",
    )
    membrane_width: float | None = setting(
        None,
        "Membrane width",
        "Width of membranes in the tissue. If it is set, and the pixel size is known, the size is "
        "the one at which membranes are as wide as the networks expect; no sizes are tried.",
        unit="nm",
        minimum=0.1,
        maximum=1e6,
    )
    align: bool = setting(
        True,
        "Align",
        "Align each slice with the one before (StackReg, translation). Not used for time stacks.",
    )
    max_shift: float = setting(
        0.1,
        "Largest shift",
        "Largest plausible shift between neighbouring slices, as a share of the side; a larger "
        "one counts as a failed registration and is ignored.",
        minimum=0.0,
        maximum=0.5,
        advanced=True,
    )


@dataclass(frozen=True)
class DeviceParams:
    """Where networks run."""

    device: str = setting(
        "auto",
        "Device",
        "auto uses a CUDA GPU if there is one, otherwise an Apple GPU (mps), otherwise the CPU.",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    precision: str = setting(
        "auto",
        "Precision",
        "auto uses the faster one: bfloat16 on GPUs and CPUs that support it, otherwise float32.",
        choices=("auto", "float32", "bfloat16"),
        advanced=True,
    )
    threads: int = setting(
        0, "CPU threads", "0 uses all cores.", minimum=0, maximum=1024, advanced=True
    )


@dataclass(frozen=True)
class ContourParams:
    """Step 1: predict the contour probability."""

    contour_model: str = setting("default", "Contour model", "Model for Step 1, by name or folder.")
    threshold: float = setting(
        0.5,
        "Contour above",
        "Probability above which a pixel of Step 1 is contour. Lower it if cells are merged where "
        "membranes are faint; raise it if cells are split, or lines are too thick. The map itself "
        "is changed so that this probability becomes 0.5.",
        minimum=0.01,
        maximum=0.99,
    )
    mirror: bool = setting(
        False,
        "Mirror",
        "Average predictions over mirrored copies: slightly better, but takes four times as long "
        "in 2D.",
    )
    overlap: float = setting(
        0.5,
        "Tile overlap",
        "Overlap of neighbouring tiles of the sliding window, as a share of a tile.",
        minimum=0.0,
        maximum=0.9,
        advanced=True,
    )
    batch: int = setting(
        0, "Batch", "Tiles computed at once; 0 chooses by device.", minimum=0, advanced=True
    )


@dataclass(frozen=True)
class ClosingParams:
    """Step 2: close gaps repeatedly until almost nothing changes."""

    closing_model: str = setting("default", "Closing model", "Model for Step 2, by name or folder.")
    match_certainty: bool = setting(
        True,
        "Match certainty",
        "Raise the certainty of contour maps that are less certain than those that the network "
        "was trained on, by a gain and an offset of the logit. Off follows the paper.",
        advanced=True,
    )
    tolerance: float = setting(
        0.001,
        "Stop below",
        "Stop when an iteration changes a smaller share of the pixels than this, from contour to "
        "not contour or back.",
        minimum=0.0,
        maximum=1.0,
    )
    max_iterations: int = setting(
        50,
        "Most iterations",
        "Always stop after this many iterations.",
        minimum=1,
        maximum=1000,
    )
    unite: bool = setting(
        True,
        "Keep Step 1 contours",
        "Unite the result with the thresholded Step 1 contour, as in the paper.",
        advanced=True,
    )
    hold: bool = setting(
        True,
        "Keep what is closed",
        "Once a pixel is contour, it stays contour in later iterations: closing converges sooner, "
        "and closed gaps do not reopen. Off in the paper.",
        advanced=True,
    )
    tidy: bool = setting(
        True,
        "Tidy lines",
        "Of the contour that is kept, show only lines that separate cells and what the network "
        "still returns: loose ends disappear, and lines are as thin as the network draws them.",
        advanced=True,
    )
    whole_lines: bool = setting(
        True,
        "Only whole lines",
        "When lines are tidied, add to Step 1 only lines that separate cells: fewer cells are "
        "split, and lines do not become thicker. Off in the paper.",
        advanced=True,
    )
    faint: float = setting(
        0.35,
        "Faint lines from",
        "When lines are tidied, also keep lines that separate cells down to this probability; 0.5 "
        "adds no faint lines.",
        minimum=0.0,
        maximum=0.5,
        advanced=True,
    )
    firmer: float = setting(
        0.1,
        "Firmer by",
        "From the fourth iteration on, raise the probability required for new contour by this "
        "amount in each iteration, so that further iterations do no harm. 0 in the paper.",
        minimum=0.0,
        maximum=0.5,
        advanced=True,
    )
    likely_gaps: bool = setting(
        True,
        "Close likely gaps",
        "After the network has converged, close gaps that the shapes of cells and the "
        "neighbouring slices suggest. Off in the paper.",
    )
    least_gain: float = setting(
        0.1,
        "Least gain",
        "Likely gaps: the expected gain in labelled cells that closing a gap must bring. Lower "
        "values close more gaps and split more cells.",
        minimum=0.0,
        maximum=2.0,
        advanced=True,
    )
    least_chance: float = setting(
        0.3,
        "Least chance",
        "Likely gaps: the least probability that closing a gap gains labelled cells. Higher "
        "values protect kinds of cells that the networks were not trained on.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    redraw: bool = setting(
        True,
        "Redraw",
        "Likely gaps: pass the slices with closed gaps through the network once more, so that "
        "the new lines look like the others and loose ends are dropped.",
        advanced=True,
    )
    keep_iterations: bool = setting(
        False, "Keep iterations", "Keep the contour probability of every iteration."
    )
    mirror: bool = setting(
        False,
        "Mirror",
        "Average each iteration over mirrored copies: takes four times as long.",
        advanced=True,
    )
    batch: int = setting(
        0, "Batch", "Slices computed at once; 0 chooses by device.", minimum=0, advanced=True
    )


@dataclass(frozen=True)
class CellParams:
    """Turn closed contours into instance labels."""

    mode: str = setting(
        "linked",
        "Cells",
        "slice labels each slice separately; linked joins overlapping cells of neighbouring "
        "slices; 3d uses connected components of the whole stack.",
        choices=("slice", "linked", "3d"),
    )
    rule: str = setting(
        "plain",
        "Rule",
        "plain labels the connected components of pixels that are not contour; scoring first "
        "thickens the contour and then grows the labels back, as in the paper's scores.",
        choices=("plain", "scoring"),
        advanced=True,
    )
    dilation: int = setting(
        3,
        "Thicken by",
        "Scoring rule: dilation of the contour.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    grow: int = setting(
        10,
        "Grow back by",
        "Scoring rule: growth of the labels.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    min_size: int = setting(
        30,
        "Smallest cell",
        "Remove smaller cells (area in a slice, in pixels of the slices in which cells are "
        "labelled: in a run, as the networks see them).",
        unit="px",
        minimum=0,
    )
    fill_holes: bool = setting(
        False, "Fill holes", "Fill holes inside cells (contour islands within one cell)."
    )
    remove_border: bool = setting(
        False, "Remove border cells", "Remove cells that touch the border of the slice."
    )
    link_overlap: float = setting(
        0.5,
        "Link overlap",
        "linked: smallest intersection over union at which two slice cells become one cell.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
