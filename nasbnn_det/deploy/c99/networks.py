"""From a packed file to a graph: one function a kind of network, listed in :data:`KINDS`."""
import os
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np

from ...runtime import PackedDetector, PackedFile, load_packed
from ...runtime.file import packed_bytes
from ...runtime.native_network import prepare
from ...runtime.torch_classifier import TorchClassifier
from .graph import Graph, Map


class Decoding(NamedTuple):
    """What a packed file says of an RTMDet head and its decoding; see ``deploy/dense_heads.py``."""
    num_classes: int
    strides: List[int]
    offset: float
    score_thr: float
    nms_pre: int
    iou_threshold: float
    max_per_img: int
    min_bbox_size: float


@dataclass
class Network:
    """What C code is written of.

    Args:
        kind (str): As in the packed file.
        graph (Graph): Its steps for the input's size.
        runtime: The packed runtime's own form, which tells what must come out.
        classes (list[str]): Names; may be empty for a classifier.
        settings (Decoding, optional): A detector's decoding.
        preprocessing (dict): How bytes become the input, as :func:`nasbnn_det.runtime.native_network.prepare` takes it;
            nothing is resized or padded.
    """
    kind: str
    graph: Graph
    runtime: Union[TorchClassifier, PackedDetector]
    classes: List[str]
    settings: Optional[Decoding] = None
    preprocessing: Dict[str, Any] = field(default_factory=dict)


def read_network(path: Union[str, os.PathLike], size: Optional[Tuple[int, int]] = None) -> Tuple[Network, PackedFile]:
    """Reads a packed file.

    Args:
        path: A packed file of a network that stands by itself.
        size (tuple[int, int], optional): Height and width of the input. Defaults to None, what the file says.

    Returns:
        tuple: The network, and what the file holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, of a network that needs its config or of a kind that C code isn't written of, or if the
            size is missing or doesn't fit.
    """
    packed = load_packed(path)
    described = packed.info.get('network')
    kind = described.get('kind') if isinstance(described, dict) else None
    if described is None:
        reason = packed.info.get('needs_config')
        raise ValueError(f"packed file '{path}' does not stand by itself{f' ({reason})' if reason else ''}; C code can't be "
                         'written of it')
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"packed file '{path}' is of the kind {kind!r}; C code is written of {' and '.join(KINDS)}")
    preprocessing = packed.info.get('preprocessing') or {}
    prepare(preprocessing, np.zeros((32, 32, 3), np.uint8))  # refuses what it does not know
    if size is None:
        given = packed.info.get('input_size')
        if not given:
            raise ValueError(f"packed file '{path}' does not say the size of its images; give height and width")
        size = (given[1], given[0])
    divisor = preprocessing.get('divisor', 1)
    if any(side % divisor for side in size):
        raise ValueError(f'the input is {size[0]} x {size[1]}; both must be multiples of {divisor}')
    preprocessing = {key: preprocessing[key] for key in ('mean', 'std', 'to_rgb') if key in preprocessing}
    try:
        network = KINDS[kind](packed, Graph(Map(3, *size)))
    except ValueError as error:
        raise ValueError(f"packed file '{path}' can't become C code: {error}") from error
    return replace(network, preprocessing=preprocessing), packed


def _classifier(packed: PackedFile, graph: Graph) -> Network:
    module = TorchClassifier.from_file(packed)
    features = graph.chain(list(module.backbone.layers), None)
    graph.deliver(graph.chain(list(module.linear.layers), graph.average(features)))
    return Network(TorchClassifier.KIND, graph, module, list(packed.info.get('classes') or ()))


def _rtmdet(packed: PackedFile, graph: Graph) -> Network:
    runtime = PackedDetector(packed_bytes(packed))  # refuses settings that contradict the chains
    network = packed.info['network']
    levels, neck = len(network['strides']), network.get('neck', 'pafpn')
    towers = {f'bbox_head.{branch}_towers.{i}' for branch in ('cls', 'reg') for i in range(levels)}
    if neck != 'pafpn' or len(packed.chains['backbone'].outputs) != levels or not towers <= set(packed.chains):
        raise ValueError('C code is written of RTMDet with towers on a BinaryPAFPN of as many levels as its backbone gives')
    settings = Decoding(**{key: value for key, value in network.items() if key not in ('kind', 'neck')})
    if not 0 <= settings.iou_threshold <= 1:
        raise ValueError(f'iou_threshold is {settings.iou_threshold}; allowed are 0 to 1')

    def run(name: str, source: int) -> int:
        return graph.chain(list(packed.chains[name].layers), source)

    # A level's lateral runs as soon as its map is there, so that only the next stage keeps that map.
    backbone, source, maps = packed.chains['backbone'], None, []
    for i, layer in enumerate(backbone.layers):
        source = graph.convolve(layer, source)
        if i in backbone.outputs:
            maps.append(run(f'neck.laterals.{len(maps)}', source))
    for i in reversed(range(len(maps) - 1)):
        maps[i] = run(f'neck.top_down.{i}', graph.add(maps[i + 1], maps[i]))
    for i in range(len(maps) - 1):
        maps[i + 1] = run(f'neck.bottom_up.{i}', graph.add(run(f'neck.downsamples.{i}', maps[i]), maps[i + 1]))
    for i, level in enumerate(maps):
        graph.deliver(*(run(f'bbox_head.rtm_{branch}.{i}', run(f'bbox_head.{branch}_towers.{i}', level))
                        for branch in ('cls', 'reg')))
    classes: Any = packed.info.get('classes')
    if not isinstance(classes, list) or len(classes) != settings.num_classes:
        raise ValueError(f'it needs the names of {settings.num_classes} classes')
    return Network('rtmdet', graph, runtime, classes, settings)


#: By the kind in the packed file.
KINDS: Dict[str, Callable[[PackedFile, Graph], Network]] = {TorchClassifier.KIND: _classifier, 'rtmdet': _rtmdet}
