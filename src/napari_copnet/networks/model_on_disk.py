"""A model by name, for processes that load it themselves."""

from __future__ import annotations

from dataclasses import dataclass

from napari_copnet.networks.nnunet import Network
from napari_copnet.networks.package import ModelPackage
from napari_copnet.networks.plan import NetworkPlan
from napari_copnet.params import DeviceParams


@dataclass(frozen=True)
class ModelOnDisk:
    """A model that is loaded where it is called, once a process.

    Attributes
    ----------
    package : ModelPackage
        Its folder lies on a disk that all processes share.
    device : DeviceParams
    """

    package: ModelPackage
    device: DeviceParams

    @property
    def plan(self) -> NetworkPlan:
        """How the network is built."""
        return self.package.plan

    def __call__(self) -> Network:
        key = self.package.sha256, self.device
        if key not in _loaded:
            # The contour network and the closing network are needed in turn.
            _loaded.clear()
            _loaded[key] = Network.load(self.package, self.device)
        return _loaded[key]


_loaded: dict[tuple[str, DeviceParams], Network] = {}
