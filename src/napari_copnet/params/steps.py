"""The settings of the steps that a stack walks through."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class ReadParams:
    """How to read a stack whose file leaves something open."""

    voxel_size: str | None = setting(
        None,
        "Voxel size",
        "z,y,x in µm, such as 0.05,0.015,0.015. Overrides what the file says.",
        unit="µm",
    )
    rgb: str = setting(
        "ask",
        "Colour images",
        "What to do with a colour image: ask stops with a hint, luminance turns it grey, "
        "first keeps the first channel.",
        choices=("ask", "luminance", "first"),
        advanced=True,
    )
    axes: str | None = setting(
        None,
        "Axes",
        "Meaning of the axes, such as ZYX, TYX, CZYX or TZYX, where the file leaves it open.",
        advanced=True,
    )
    channel: int | None = setting(
        None, "Channel", "Channel to use of a file that has several.", minimum=0, advanced=True
    )
    time_point: int | None = setting(
        None,
        "Time point",
        "Frame to use of a file that has both time and depth.",
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
        True, "Normalise", "Bring each slice to mean 0 and standard deviation 1 (z-score)."
    )
    padding: bool = setting(
        True,
        "Find padding",
        "Find constant borders and holes in each slice, leave them out of the z-score, fill them "
        "for the networks, and keep contours, cells and scores away from them.",
        advanced=True,
    )
    invert: str = setting(
        "auto",
        "Invert",
        "Exchange dark and light: networks know dark membranes. auto does so where the contour "
        "network is clearly surer of the inverted slices (up to three are tried).",
        choices=("auto", "yes", "no"),
    )
    size: int | None = setting(
        None,
        "Size",
        "Longer in-plane side at which networks see the slices; 0 keeps the size of the stack. "
        "auto shows three slices to them at several sizes first, and takes the one whose cells "
        "stand out best. Strips, over twice as long as high, are not shrunk below half of the size "
        "on their shorter side.",
        unit="px",
        minimum=0,
        maximum=65536,
        none="auto",
    )
    membrane_width: float | None = setting(
        None,
        "Membrane width",
        "How wide membranes are in the tissue. With it, and a known pixel size, the size is that "
        "at which they are as wide as the networks know them, and nothing is tried.",
        unit="nm",
        minimum=0.1,
        maximum=1e6,
    )
    align: bool = setting(
        True,
        "Align",
        "Shift each slice onto the one before (StackReg translation). Not used for time stacks.",
    )
    max_shift: float = setting(
        0.1,
        "Largest shift",
        "Largest believable shift between neighbouring slices, as a share of the side; a larger "
        "one is taken for a failed registration and ignored.",
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
        "auto takes a CUDA GPU if there is one, then an Apple GPU (mps), then the CPU.",
        choices=("auto", "cpu", "cuda", "mps"),
    )
    precision: str = setting(
        "auto",
        "Precision",
        "auto takes the faster one: bfloat16 on GPUs and CPUs made for it, else float32.",
        choices=("auto", "float32", "bfloat16"),
        advanced=True,
    )
    threads: int = setting(
        0, "CPU threads", "0 uses all cores.", minimum=0, maximum=1024, advanced=True
    )


@dataclass(frozen=True)
class ContourParams:
    """Step 1: predict the contour probability."""

    contour_model: str = setting(
        "default", "Contour model", "Name of a model, or a model folder, for Step 1."
    )
    mirror: bool = setting(
        False,
        "Mirror",
        "Average predictions over mirrored copies: slightly better, four times slower in 2D.",
    )
    overlap: float = setting(
        0.5,
        "Tile overlap",
        "Share by which neighbouring tiles of the sliding window overlap.",
        minimum=0.0,
        maximum=0.9,
        advanced=True,
    )
    batch: int = setting(
        0, "Batch", "Tiles computed at once; 0 chooses by device.", minimum=0, advanced=True
    )


@dataclass(frozen=True)
class ClosingParams:
    """Step 2: close gaps, again and again until nearly nothing changes."""

    closing_model: str = setting(
        "default", "Closing model", "Name of a model, or a model folder, for Step 2."
    )
    match_certainty: bool = setting(
        True,
        "Match certainty",
        "A contour map that is less sure of its lines than those the network knows is first "
        "brought to their certainty, by a gain and an offset of its logit. Off is the paper's way.",
        advanced=True,
    )
    tolerance: float = setting(
        0.001,
        "Stop below",
        "Stop when a smaller share of pixels than this changed its rounded value.",
        minimum=0.0,
        maximum=1.0,
    )
    max_iterations: int = setting(
        50, "Most iterations", "Passes after which to stop all the same.", minimum=1, maximum=1000
    )
    unite: bool = setting(
        False,
        "Keep Step 1 contours",
        "Unite the result with the rounded Step 1 contour, as the paper's authors do.",
        advanced=True,
    )
    hold: bool = setting(
        True,
        "Keep what is closed",
        "Contour, once marked, does not fade in later iterations: they converge sooner and lose no "
        "closed gap. Off is the paper's way.",
        advanced=True,
    )
    tidy: bool = setting(
        True,
        "Tidy lines",
        "Of what is kept, results show only lines that part cells, and what the network itself "
        "still returns: loose ends go, and lines are as thin as it draws them.",
        advanced=True,
    )
    faint: float = setting(
        0.35,
        "Faint lines from",
        "When lines are tidied, those that part cells count from this probability on; 0.5 takes "
        "none but those that are kept.",
        minimum=0.0,
        maximum=0.5,
        advanced=True,
    )
    firmer: float = setting(
        0.1,
        "Firmer by",
        "From the fourth iteration on a pixel becomes contour only where the network is surer than "
        "before by so much in each, so that iterating on does no harm. 0 is the paper's way.",
        minimum=0.0,
        maximum=0.5,
        advanced=True,
    )
    likely_gaps: bool = setting(
        True,
        "Close likely gaps",
        "After the network has converged, close what the shapes of cells and the slices around "
        "give away as a gap. Off is the paper's way.",
    )
    least_gain: float = setting(
        0.1,
        "Least gain",
        "Likely gaps: how many more cells a closure has to leave labelled, as expected. Less "
        "closes more, and splits more.",
        minimum=0.0,
        maximum=2.0,
        advanced=True,
    )
    least_chance: float = setting(
        0.3,
        "Least chance",
        "Likely gaps: how likely, at least, a closure has to leave more cells labelled. More of it "
        "spares cells of a kind that the networks do not know.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    redraw: bool = setting(
        True,
        "Redraw",
        "Likely gaps: slices in which some were closed pass the network once more, which draws the "
        "new lines as it draws others and gives up loose ends.",
        advanced=True,
    )
    keep_iterations: bool = setting(
        False, "Keep iterations", "Keep the contour probability of every iteration."
    )
    mirror: bool = setting(
        False,
        "Mirror",
        "Average each pass over mirrored copies: four times slower.",
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
        "slice labels each slice on its own; linked joins slice cells through z by overlap; "
        "3d takes connected components of the whole stack.",
        choices=("slice", "linked", "3d"),
    )
    rule: str = setting(
        "plain",
        "Rule",
        "plain takes the connected components of what is not contour; scoring thickens the "
        "contour first and grows the labels back, as in the paper's scores.",
        choices=("plain", "scoring"),
        advanced=True,
    )
    dilation: int = setting(
        3, "Thicken by", "Scoring rule: contour dilation.", unit="px", minimum=0, advanced=True
    )
    grow: int = setting(
        10, "Grow back by", "Scoring rule: label growth.", unit="px", minimum=0, advanced=True
    )
    min_size: int = setting(
        30, "Smallest cell", "Smaller cells are removed (area in a slice).", unit="px", minimum=0
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
        "linked: smallest intersection over union of two slice cells that are one cell.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
