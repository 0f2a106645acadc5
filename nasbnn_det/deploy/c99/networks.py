"""From a packed file to a graph: one function a kind of network, listed in :data:`KINDS`."""
import os
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, List, Optional, Tuple, Union

from torch import nn

from ...runtime import PackedFile, load_packed
from ...runtime.classifier import PackedClassifier
from ...runtime.preprocess import Preprocessing
from ...runtime.rtmdet import PackedRTMDet, RTMDetSettings
from .graph import Graph, Map


@dataclass
class Network:
    """What C code is written of.

    Args:
        kind (str): As in the packed file.
        graph (Graph): Its steps for the input's size.
        module (nn.Module): The packed runtime's own form, which tells what must come out.
        preprocessing (Preprocessing): How bytes become the input; nothing is resized or padded.
        classes (list[str]): Names; may be empty for a classifier.
        settings (RTMDetSettings, optional): A detector's decoding.
    """
    kind: str
    graph: Graph
    module: nn.Module
    preprocessing: Preprocessing
    classes: List[str]
    settings: Optional[RTMDetSettings] = None


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
    preprocessing = Preprocessing.from_dict(packed.info.get('preprocessing'))
    if size is None:
        given = packed.info.get('input_size')
        if not given:
            raise ValueError(f"packed file '{path}' does not say the size of its images; give height and width")
        size = (given[1], given[0])
    if any(side % preprocessing.divisor for side in size):
        raise ValueError(f'the input is {size[0]} x {size[1]}; both must be multiples of {preprocessing.divisor}')
    preprocessing = replace(preprocessing, scale=None, pad_size=None, keep_ratio=False)
    try:
        network = KINDS[kind](packed, Graph(Map(3, *size)))
    except ValueError as error:
        raise ValueError(f"packed file '{path}' can't become C code: {error}") from error
    return replace(network, preprocessing=preprocessing), packed


def _classifier(packed: PackedFile, graph: Graph) -> Network:
    module = PackedClassifier.from_file(packed)
    features = graph.chain(list(module.backbone.layers), None)
    graph.deliver(graph.chain(list(module.linear.layers), graph.average(features)))
    return Network(PackedClassifier.KIND, graph, module, Preprocessing(), list(packed.info.get('classes') or ()))


def _rtmdet(packed: PackedFile, graph: Graph) -> Network:
    settings = {key: value for key, value in packed.info['network'].items() if key != 'kind'}
    module = PackedRTMDet.from_dict(packed.chains, settings).eval()
    settings = RTMDetSettings.from_dict(settings)
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
    return Network('rtmdet', graph, module, Preprocessing(), classes, settings)


#: By the kind in the packed file.
KINDS: Dict[str, Callable[[PackedFile, Graph], Network]] = {PackedClassifier.KIND: _classifier, 'rtmdet': _rtmdet}
