"""Detectors as ONNX files that end in boxes, labels and scores, checked in onnxruntime against MMDetection's decoding."""
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from torch import Tensor, nn

from ..files import replacing
from ..runtime.detections import Detections
from .onnx_decoding import Decoding
from .onnx_export import (
    FlatNetwork,
    OnnxCheck,
    compare_outputs,
    finish_file,
    named_outputs,
    need_packages,
    plain_form,
    random_images,
    run_onnx,
    trace,
)

#: Outputs of such a file.
OUTPUTS = ('boxes', 'labels', 'scores')
#: The default of the input ``sizes``: larger than any image, and whole as a float.
_UNBOUNDED = 1 << 24


class DetectorCheck(NamedTuple):
    """How far onnxruntime is from PyTorch at one size.

    Args:
        maps (OnnxCheck): The network.
        agreeing (int): Boxes of the decoding alone, on made maps, that are MMDetection's: of the same label, the score
            within 1e-4, the corners within a hundredth of a pixel.
        boxes (int): As many as either of the two has.
    """
    maps: OnnxCheck
    agreeing: int
    boxes: int


def export_detector(model: nn.Module,
                    path: Union[str, os.PathLike],
                    shapes: Sequence[Tuple[int, int, int, int]] = ((1, 3, 320, 320), (2, 3, 257, 191)),
                    meta: Optional[Dict[str, Any]] = None) -> List[DetectorCheck]:
    """Writes a detector as an ONNX file from images to boxes, of standard operators only.

    Inputs are ``images``, float (N, 3, H, W), and ``sizes``, int64 (N, 2) or (1, 2), height and width that boxes are clipped
    to; without it they are clipped to H and W. Outputs are :data:`OUTPUTS`, as :class:`Decoding` gives them. Batch, height
    and width are free.

    The check is of two parts. The network's maps are compared as :func:`export_onnx` does it. What follows them is
    compared with MMDetection's own function on the same maps, so that no turned sign is in between; their class logits are
    random numbers around the threshold, for enough candidates. MMDetection rounds more (see :class:`Decoding`), which may
    let a box live that overlaps another by just the threshold: nine of ten must agree.

    Args:
        model (nn.Module): A detector of MMDetection with a single stage; it is not changed.
        path: The file to write.
        shapes (Sequence[tuple[int]]): Shapes (N, C, H, W) to compare at; the first is the one that is traced.
        meta (dict, optional): JSON-ready values that the file carries as metadata, beside ``detections``, the settings of
            the decoding.

    Returns:
        list[DetectorCheck]: One per shape.

    Raises:
        ValueError: If onnx or onnxruntime is missing, the detector can't be exported, or onnxruntime disagrees.
    """
    need_packages()
    network = _FlatDetector(plain_form(model))
    images = random_images(shapes)
    free: Dict[str, Dict[int, str]] = {name: {0: 'batch', 1: 'objects'} for name in OUTPUTS}
    with replacing(path) as part:
        trace(network, (images[0], torch.full((1, 2), _UNBOUNDED)), part, ('images', 'sizes'),
              dict(free, sizes={0: 'sizes'}))
        _finish_interface(part)
        finish_file(part, dict(meta or {}, detections=network.decoding.settings))
        maps = [compare_outputs(model, part, x) for x in images]
        decoding = _without_maps(part)
        return [DetectorCheck(found, *_compare_boxes(network, decoding, x)) for found, x in zip(maps, images)]


class _FlatDetector(FlatNetwork):
    """Gives the maps by their names, and what the decoding makes of them."""

    def __init__(self, detector: nn.Module) -> None:
        super().__init__(detector)
        self.decoding = Decoding(detector)

    def outputs(self, x: Tensor, *more: Tensor) -> List[Tuple[str, Tensor]]:
        maps = self.network(x)
        return [*named_outputs(maps), *zip(OUTPUTS, self.decoding(x, *more, *maps))]


def _finish_interface(path: Path) -> None:
    """Makes ``sizes`` an input that may be left out, and says that a box has four corners."""
    import onnx
    model = onnx.load(str(path))
    boxes, = (output for output in model.graph.output if output.name == 'boxes')
    boxes.type.tensor_type.shape.dim[2].dim_value = 4
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.full((1, 2), _UNBOUNDED, np.int64), 'sizes'))
    onnx.save(model, str(path))


def _without_maps(path: Path) -> bytes:
    """Takes the maps from the file's outputs; returns a model that begins with them."""
    import onnx
    model = onnx.load(str(path))
    maps = [output for output in model.graph.output if output.name not in OUTPUTS]
    for output in maps:
        model.graph.output.remove(output)
        model.graph.value_info.append(output)
    onnx.save(model, str(path))
    part = onnx.utils.Extractor(model).extract_model(['images', 'sizes', *(y.name for y in maps)], list(OUTPUTS))
    return part.SerializeToString()


def _compare_boxes(network: _FlatDetector, decoding: bytes, images: Tensor) -> Tuple[int, int]:
    """Boxes of made maps that agree, and all of them."""
    head, settings = network.network.bbox_head, network.decoding.settings
    with torch.no_grad():
        logits, *others = network.network(images)
    centre = float(torch.tensor(settings['score_thr']).clamp(0.01, 0.99).logit()) - 1 if head.use_sigmoid_cls else 0.0
    generator = torch.Generator().manual_seed(0)
    logits = [centre + (1 if head.use_sigmoid_cls else 3) * torch.randn(x.shape, generator=generator) for x in logits]
    # Not all of the image, so that clipping counts, and of each image another part.
    height, width = images.shape[2:]
    sizes = [(height - 3 * i - 1, width - 5 * i - 2) for i in range(len(images))]
    feeds = {name: y.numpy() for name, y in named_outputs([logits, *others])}
    found = run_onnx(decoding, dict(feeds, images=images.numpy(), sizes=np.array(sizes)), OUTPUTS)
    wanted = head.predict_by_feat(logits, *others, rescale=False, batch_img_metas=[
        dict(img_shape=size, scale_factor=(1.0, 1.0)) for size in sizes])
    pairs = [(Detections(*(output[i, found[1][i] >= 0] for output in found)),
              Detections(want.bboxes.numpy(), want.labels.numpy(), want.scores.numpy())) for i, want in enumerate(wanted)]
    agreeing, boxes = (sum(map(count, pairs)) for count in (_agreeing, lambda pair: max(len(one.scores) for one in pair)))
    if agreeing < 0.9 * boxes:
        raise ValueError(f'onnxruntime and MMDetection agree on {agreeing} of {boxes} boxes for an input of '
                         f'{tuple(images.shape)}; the file was not written')
    return agreeing, boxes


def _agreeing(pair: Tuple[Detections, Detections]) -> int:
    """How many boxes both have."""
    found, want = pair
    free, count = np.ones(len(want.scores), bool), 0
    for box, label, score in zip(*found):
        same = free & (want.labels == label) & (abs(want.scores - score) < 1e-4) & (abs(want.boxes - box) < 0.01).all(1)
        if same.any():
            free[same.argmax()] = False
            count += 1
    return count
