"""Every setting, declared once: forms, command options, docs and run records read it from here.

One frozen dataclass per step. A field's metadata holds a `Setting`: label, help, unit, range,
choices and whether it is folded away as advanced. A field whose default is None is optional.
"""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.setting import (
    Setting,
    as_dict,
    checked,
    field_type,
    from_dict,
    setting,
    settings,
)

__all__ = [
    "CellParams",
    "ClosingParams",
    "ContourParams",
    "DegradeParams",
    "DeviceParams",
    "PreprocessParams",
    "ReadParams",
    "ScoreParams",
    "Setting",
    "TissueParams",
    "TrainParams",
    "as_dict",
    "checked",
    "field_type",
    "from_dict",
    "settings",
]


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
    size: int = setting(
        512,
        "Size",
        "Longer in-plane side after resizing; 0 keeps the size of the stack.",
        unit="px",
        minimum=0,
        maximum=65536,
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
        True,
        "Keep Step 1 contours",
        "Unite the result with the rounded Step 1 contour.",
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


@dataclass(frozen=True)
class DegradeParams:
    """Simulated gaps: the degradation equation ∂u/∂t = α Δu − β u."""

    diffusion_disks: int = setting(
        6, "Diffusing disks (N1)", "Disks in which contours blur.", minimum=0, maximum=1000
    )
    absorption_disks: int = setting(
        10, "Fading disks (N2)", "Disks in which contours fade.", minimum=0, maximum=1000
    )
    radius_min: float = setting(12.0, "Smallest radius", "Of a disk, in `unit`.", minimum=0.0)
    radius_max: float = setting(40.0, "Largest radius", "Of a disk, in `unit`.", minimum=0.0)
    diffusion_min: float = setting(
        0.1, "Smallest diffusion", "dmin, in unit²/s, everywhere.", minimum=0.0
    )
    diffusion_max: float = setting(
        3.0, "Largest diffusion", "dmax, in unit²/s, at a disk's centre.", minimum=0.0
    )
    duration: float = setting(5.0, "Duration (T)", "Simulated time.", unit="s", minimum=0.0)
    time_step: float = setting(
        0.1, "Time step", "Crank–Nicolson only.", unit="s", minimum=1e-4, advanced=True
    )
    unit: str = setting(
        "px", "Unit", "Unit of radii and diffusion.", choices=("px", "um"), advanced=True
    )
    method: str = setting(
        "chebyshev",
        "Method",
        "chebyshev is exact in time and fast; crank-nicolson is the paper's.",
        choices=("chebyshev", "crank-nicolson"),
        advanced=True,
    )


@dataclass(frozen=True)
class TissueParams:
    """Made tissue: a stack that looks like SEM, with exact truth."""

    slices: int = setting(16, "Slices", "Number of slices.", minimum=1, maximum=10000)
    size: int = setting(512, "Size", "In-plane side.", unit="px", minimum=32, maximum=16384)
    pixel_size: float = setting(0.05, "Pixel size", "In-plane.", unit="µm", minimum=1e-4)
    slice_thickness: float = setting(0.1, "Slice thickness", "", unit="µm", minimum=1e-4)
    cell_diameter: float = setting(3.0, "Cell diameter", "Mean.", unit="µm", minimum=1e-3)
    membrane: float = setting(0.2, "Contour thickness", "Mean.", unit="µm", minimum=1e-3)
    faded: float = setting(
        0.12, "Faded share", "Share of membrane length that fades.", minimum=0.0, maximum=1.0
    )
    noise: float = setting(
        0.25, "Noise", "Relative to the contrast of a membrane.", minimum=0.0, maximum=5.0
    )
    drift: float = setting(
        2.0, "Drift", "Standard deviation of the shift between slices.", unit="px", minimum=0.0
    )
    vessel: bool = setting(True, "Vessel", "Put a blood vessel into the tissue.")


@dataclass(frozen=True)
class TrainParams:
    """Train a network."""

    size: str = setting(
        "default",
        "Network size",
        "small trains in minutes on a CPU; default is what nnU-Net plans for the data.",
        choices=("small", "default"),
    )
    dimensions: int = setting(
        2, "Dimensions", "2 for slices, 3 for thin slices.", minimum=2, maximum=3
    )
    epochs: int = setting(250, "Epochs", "Epochs to train for.", minimum=1)
    minutes: float | None = setting(
        None, "Minutes", "Stop after so many minutes, learning rate run down.", minimum=0.01
    )
    iterations_per_epoch: int = setting(
        100, "Steps per epoch", "Training steps in an epoch.", minimum=1, advanced=True
    )
    patch: int = setting(
        0, "Patch", "In-plane patch side; 0 takes the plan's.", unit="px", minimum=0, advanced=True
    )
    batch: int = setting(
        0, "Batch", "Patches in a step; 0 takes the plan's.", minimum=0, advanced=True
    )
    learning_rate: float = setting(
        0.01, "Learning rate", "At the start.", minimum=1e-6, maximum=1.0, advanced=True
    )
    own_outputs: float = setting(
        0.4,
        "Own outputs",
        "Closing network: share of examples whose input is the network's own output after one to "
        "three passes.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    harder: bool = setting(
        True,
        "Harder degradations",
        "Closing network: noise, faint floor, false ridges and weak ridges besides the equation.",
        advanced=True,
    )
    seed: int = setting(0, "Seed", "Of all random choices.", minimum=0, advanced=True)


@dataclass(frozen=True)
class ScoreParams:
    """How predicted contours are scored against true ones."""

    closing_radius: int = setting(
        3,
        "Close true contour by",
        "Radius of the closing by reconstruction of the true contour.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    dilation: int = setting(
        3,
        "Thicken prediction by",
        "Dilation of the predicted contour before labelling.",
        unit="px",
        minimum=0,
        advanced=True,
    )
    grow: int = setting(
        10, "Grow back by", "Growth of predicted labels.", unit="px", minimum=0, advanced=True
    )
    overlap: float = setting(
        0.85,
        "Overlap",
        "Share of a true cell that a predicted cell has to cover.",
        minimum=0.5,
        maximum=1.0,
        advanced=True,
    )
    tolerance: float = setting(
        2.0,
        "NSD tolerance",
        "Distance within which borders agree.",
        unit="px",
        minimum=0.0,
        advanced=True,
    )
    skeleton: str = setting(
        "zhang",
        "Skeleton",
        "Skeletonisation for clDice: values of the two differ.",
        choices=("zhang", "lee"),
        advanced=True,
    )
