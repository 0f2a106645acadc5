"""What the packed runtime makes of an image: what C code must give."""
import os
from typing import Dict, List, NamedTuple, Optional, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ...native import REFERENCE, current_isa
from ...runtime import Detections, PackedChain, PackedDetector
from ...runtime.classifier import average_pixels
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
def expect(network: Network, path: Union[str, os.PathLike], image: np.ndarray) -> Expected:
    """Runs the packed runtime.

    Args:
        network (Network): The network.
        path: Its packed file.
        image (np.ndarray): uint8, shape (H, W, 3), of the network's input size.

    Returns:
        Expected: What must come out.

    Raises:
        ValueError: If the compiled kernels are not there, or the graph is not what the packed runtime computes.
    """
    if current_isa() == REFERENCE:
        raise ValueError('the expected values come from the compiled kernels, and only the PyTorch reference runs here; '
                         'install a C++ compiler, or set NASBNN_DET_ISA to another instruction set')
    x = network.preprocessing(image)[0]
    maps = run_graph(network, x)
    delivered = [maps[index] for step in network.graph.delivered for index in step.sources]
    logits, detections = None, None
    if network.settings is None:
        logits = network.module(x)[0].numpy()
        agree = np.array_equal(logits, delivered[0].flatten().numpy())
    else:
        outputs = network.module(x)
        agree = all(map(torch.equal, delivered[::2], outputs[0])) and all(
            torch.allclose(log.exp() * stride, want, rtol=1e-6, atol=0)
            for log, want, stride in zip(delivered[1::2], outputs[1], network.settings.strides))
        detector = PackedDetector(path)
        detector.preprocessing = network.preprocessing
        detections = detector(image)
    if not agree:
        raise ValueError("the steps that were made of the network don't compute what the packed runtime does")
    return Expected([y[0].permute(1, 2, 0).contiguous().numpy() for y in delivered], logits, detections)


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
