"""The backbone of any packed file: maps for whatever an application puts behind it. No PyTorch."""
from typing import Any, List

import numpy as np

from .native_network import NativeNetwork, as_planes, check, library, pointers
from .network import PackedNetwork


class NativeBackbone(NativeNetwork):
    """A backbone that the library holds. Arguments: :class:`NativeNetwork`."""
    KIND = 'backbone'

    def maps(self, planes: Any) -> List[np.ndarray]:
        """Its maps of a prepared image, each (H_i, W_i, channels)."""
        planes = as_planes(planes)
        sizes = np.empty((library().nasbnn_det_num_maps(self._handle), 3), np.int64)
        check(library().nasbnn_det_map_sizes(self._handle, *planes.shape[1:], sizes.ctypes.data))
        maps = [np.empty(size, np.float32) for size in sizes]
        check(library().nasbnn_det_maps(self._handle, planes.ctypes.data, *planes.shape[1:], pointers(maps)))
        return maps


class PackedBackbone(PackedNetwork):
    """Computes maps on a CPU, by the chain ``backbone`` of any packed file: of a backbone alone, of a classifier, of a
    detector also where that needs its config. Arguments: :class:`PackedNetwork`."""
    NATIVE = NativeBackbone
    _native: NativeBackbone

    def __call__(self, planes: Any) -> List[np.ndarray]:
        """Computes the maps of a prepared image.

        Args:
            planes: An array or a tensor, float32, shape (3, H, W); :meth:`prepare` makes it of an image where the file says
                how.

        Returns:
            list[np.ndarray]: Finest first, float32, each of shape (H_i, W_i, channels).

        Raises:
            ValueError: If the array has another form, or is too small for the network.
        """
        return self._native.maps(planes)
