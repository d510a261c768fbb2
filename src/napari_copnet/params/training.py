"""The settings of training data and of training."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.params.setting import setting


@dataclass(frozen=True)
class DegradeParams:
    """Simulated gaps: the degradation equation ∂u/∂t = α Δu − β u."""

    diffusion_disks: int = setting(
        6, "Diffusing disks (N1)", "Disks in which contours blur.", minimum=0, maximum=1000
    )
    absorption_disks: int = setting(
        10, "Fading disks (N2)", "Disks in which contours fade.", minimum=0, maximum=1000
    )
    radius_min: float = setting(12.0, "Smallest radius", "Smallest radius of a disk.", minimum=0.0)
    radius_max: float = setting(40.0, "Largest radius", "Largest radius of a disk.", minimum=0.0)
    diffusion_min: float = setting(
        0.1, "Smallest diffusion", "dmin, in unit²/s, everywhere.", minimum=0.0
    )
    diffusion_max: float = setting(
        3.0, "Largest diffusion", "dmax, in unit²/s, at a disk's centre.", minimum=0.0
    )
    duration: float = setting(
        5.0, "Duration (T)", "How long the simulated diffusion lasts.", unit="s", minimum=0.0
    )
    time_step: float = setting(
        0.1, "Time step", "For crank-nicolson only.", unit="s", minimum=1e-4, advanced=True
    )
    unit: str = setting(
        "px", "Unit", "Unit of radii and diffusion.", choices=("px", "um"), advanced=True
    )
    method: str = setting(
        "chebyshev",
        "Method",
        "chebyshev is exact in time and fast; crank-nicolson is the paper's scheme; circles solves "
        "no equation but cuts the N2 disks out of the contour (Chen et al. 2018).",
        choices=("chebyshev", "crank-nicolson", "circles"),
        advanced=True,
    )


@dataclass(frozen=True)
class TissueParams:
    """Synthetic tissue: a stack that looks like SEM, with exact ground truth."""

    kind: str = setting(
        "neuropil",
        "Kind of tissue",
        "neuropil: packed processes of similar size; cortex: processes of very different sizes, "
        "with synapses and myelin; tumour: packed cells with nuclei and faint membranes at low "
        "magnification.",
        choices=("neuropil", "cortex", "tumour"),
    )
    slices: int = setting(16, "Slices", "Number of slices.", minimum=1, maximum=10000)
    size: int = setting(512, "Size", "In-plane side.", unit="px", minimum=32, maximum=16384)
    pixel_size: float = setting(0.05, "Pixel size", "In-plane side.", unit="µm", minimum=1e-4)
    slice_thickness: float = setting(0.1, "Slice thickness", "", unit="µm", minimum=1e-4)
    cell_diameter: float = setting(3.0, "Cell diameter", "Mean value.", unit="µm", minimum=1e-3)
    membrane: float = setting(0.2, "Contour width", "Mean value.", unit="µm", minimum=1e-3)
    faded: float = setting(
        0.12, "Faded share", "Share of the membrane length that is faded.", minimum=0.0, maximum=1.0
    )
    noise: float = setting(
        0.25, "Noise", "Relative to the contrast of a membrane.", minimum=0.0, maximum=5.0
    )
    drift: float = setting(
        2.0, "Drift", "Standard deviation of the shift between slices.", unit="px", minimum=0.0
    )
    vessel: bool = setting(True, "Vessel", "Include a blood vessel.")
    padding: float = setting(
        0.0,
        "Padding",
        "Width of the widest constant border, such as alignment leaves, as a share of the side.",
        minimum=0.0,
        maximum=0.4,
    )


@dataclass(frozen=True)
class TrainParams:
    """Train a network."""

    size: str = setting(
        "default",
        "Network size",
        "small trains in minutes on a CPU; default is the network that nnU-Net plans for the data.",
        choices=("small", "default"),
    )
    dimensions: int = setting(
        2, "Dimensions", "2 for single slices, 3 for stacks of thin slices.", minimum=2, maximum=3
    )
    epochs: int = setting(250, "Epochs", "Number of epochs.", minimum=1)
    minutes: float | None = setting(
        None,
        "Minutes",
        "Stop after this time; the learning rate schedule is fitted to it.",
        minimum=0.01,
    )
    iterations_per_epoch: int = setting(
        100, "Steps per epoch", "Training steps in an epoch.", minimum=1, advanced=True
    )
    patch: int = setting(
        0, "Patch", "In-plane patch side; 0 uses the plan's.", unit="px", minimum=0, advanced=True
    )
    batch: int = setting(
        0, "Batch", "Patches per step; 0 uses the plan's.", minimum=0, advanced=True
    )
    learning_rate: float = setting(
        0.01, "Learning rate", "Initial value.", minimum=1e-6, maximum=1.0, advanced=True
    )
    own_outputs: float = setting(
        0.4,
        "Own outputs",
        "Closing network: share of examples whose input is the network's own output after a few "
        "passes.",
        minimum=0.0,
        maximum=1.0,
        advanced=True,
    )
    own_passes: int = setting(
        3,
        "Own passes",
        "Closing network: the largest number of these passes.",
        minimum=1,
        maximum=30,
        advanced=True,
    )
    artefacts: bool = setting(
        True,
        "Artefacts",
        "Closing network: add noise, a faint background, false ridges and weak ridges.",
        advanced=True,
    )
    appearance: bool = setting(
        True,
        "Varied appearance",
        "Contour network: vary contrast, shading, noise and fading more than nnU-Net does, for "
        "stacks that look different from the training data.",
        advanced=True,
    )
    certainty: bool = setting(
        True,
        "Varied certainty",
        "Closing network: make whole maps more certain, less certain or softer, as maps of other "
        "networks are.",
        advanced=True,
    )
    zoom: float = setting(
        1.6,
        "Zoom",
        "Closing network: enlarge or shrink most examples by up to this factor; 1 turns zooming "
        "off.",
        minimum=1.0,
        maximum=4.0,
        advanced=True,
    )
    fixed_maps: int = setting(
        0,
        "Fixed maps",
        "Closing network: number of degraded maps made from each slice before training (20 in the "
        "paper); 0 makes new ones at each step.",
        minimum=0,
        maximum=1000,
        advanced=True,
    )
    context: int = setting(
        0,
        "Context",
        "Closing network: number of slices on either side whose Step 1 maps it also sees; 0 in the "
        "paper.",
        minimum=0,
        maximum=5,
        advanced=True,
    )
    seed: int = setting(0, "Seed", "Seed of all random choices.", minimum=0, advanced=True)
