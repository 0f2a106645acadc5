"""What the packed runtime makes of an image: what C code must give."""
from typing import Dict, List, NamedTuple, Optional

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...native import REFERENCE, current_isa
from ...runtime import Detections, PackedChain
from ...runtime.native_network import prepare
from ...runtime.torch_classifier import average_pixels
from .graph import Add, Average, Convolve
from .networks import Network


class Expected(NamedTuple):
    """Of one image.

    Args:
        maps (list[np.ndarray]): What the network delivers, in order: float32, shape (H, W, C).
        logits (np.ndarray, optional): A classifier's, shape (classes, ).
        detections (Detections, optional): A detector's.
    """
    maps: List[np.ndarray]
    logits: Optional[np.ndarray]
    detections: Optional[Detections]


@torch.inference_mode()
def expect(network: Network, image: np.ndarray) -> Expected:
    """Runs the packed runtime.

    Args:
        network (Network): The network.
        image (np.ndarray): uint8, shape (H, W, 3), of the network's input size.

    Returns:
        Expected: What must come out.

    Raises:
        ValueError: If the compiled kernels are not there, or the graph is not what the packed runtime computes.
    """
    if current_isa() == REFERENCE:
        raise ValueError('the expected values come from the compiled kernels, and only the PyTorch reference runs here; '
                         'install a C++ compiler, or set NASBNN_DET_ISA to another instruction set')
    planes = prepare(network.preprocessing, image).planes
    x = torch.from_numpy(planes)[None]
    maps = run_graph(network, x)
    delivered = [maps[index][0].permute(1, 2, 0).contiguous().numpy()
                 for step in network.graph.delivered for index in step.sources]
    logits, detections = None, None
    if network.settings is None:
        logits = network.runtime(x)[0].numpy()
        agree = np.array_equal(logits, delivered[0].ravel())
    else:
        class_maps, distances = network.runtime.maps(planes)
        agree = all(map(np.array_equal, delivered[::2], class_maps)) and all(
            np.allclose(np.exp(log) * stride, want, rtol=1e-6, atol=0)
            for log, want, stride in zip(delivered[1::2], distances, network.settings.strides))
        detections = network.runtime.detect_prepared(planes, image.shape[:2])
    if not agree:
        raise ValueError("the steps that were made of the network don't compute what the packed runtime does")
    return Expected(delivered, logits, detections)


def run_graph(network: Network, x: Tensor) -> Dict[int, Tensor]:
    """All maps of a graph for prepared images of shape (N, C, H, W), each layer by the packed kernels."""
    maps: Dict[int, Tensor] = {}
    for step in network.graph.steps:
        if isinstance(step, Convolve):
            maps[step.target] = PackedChain([step.layer])(x if step.source is None else maps[step.source])
        elif isinstance(step, Add):
            second = maps[step.second]
            maps[step.target] = F.interpolate(maps[step.first], size=second.shape[2:], mode='nearest') + second
        elif isinstance(step, Average):
            maps[step.target] = average_pixels(maps[step.source])
    return maps


def hash_bits(values: np.ndarray) -> int:
    """FNV-1a over words of 32 bits, as ``source/main.c`` computes it."""
    found = 2166136261
    for word in np.ascontiguousarray(values, np.float32).view(np.uint32).ravel().tolist():
        found = (found ^ word) * 16777619 & 0xffffffff
    return found
