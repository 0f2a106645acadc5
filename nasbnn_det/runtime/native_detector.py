"""The library's whole detector with arrays."""
import ctypes
import json
from typing import Any, List, Mapping, Sequence, Tuple

import numpy as np

from .detections import Detections
from .native_network import (
    CGeometry,
    NativeNetwork,
    Prepared,
    as_planes,
    check,
    image_arguments,
    library,
    packed_pixels,
    pointers,
)

_BOX = np.dtype([('corners', np.float32, 4), ('score', np.float32), ('label', np.int32)])


class NativeDetector(NativeNetwork):
    """A detector that the library holds. Arguments: :class:`NativeNetwork`."""
    KIND = 'detector'

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._room = library().nasbnn_det_max_boxes(self._handle)

    def detect(self, pixels: np.ndarray, score_thr: float) -> Detections:
        """Finds objects in an image: BGR, uint8, shape (H, W, 3)."""
        boxes, pixels = np.empty(self._room, _BOX), packed_pixels(pixels)
        return _found(boxes, library().nasbnn_det_detect(self._handle, *image_arguments(pixels), score_thr,
                                                         boxes.ctypes.data, self._room))

    def detect_prepared(self, x: Prepared, score_thr: float) -> Detections:
        """Finds objects in a prepared image."""
        boxes, planes = np.empty(self._room, _BOX), as_planes(x.planes)
        geometry = CGeometry(*planes.shape[1:], *x.size, *x.scale)
        return _found(boxes, library().nasbnn_det_detect_prepared(
            self._handle, planes.ctypes.data, ctypes.byref(geometry), score_thr, boxes.ctypes.data, self._room))

    def maps(self, planes: np.ndarray) -> Tuple[List[np.ndarray], ...]:
        """What the head gives, as MMDetection's does: of each branch (class logits, boxes, FCOS's centerness) the levels'
        maps (H_i, W_i, channels).

        Args:
            planes (np.ndarray): Float32, shape (3, H, W).
        """
        planes = as_planes(planes)
        levels, branches = (count(self._handle) for count in (library().nb_detector_levels, library().nb_detector_branches))
        sizes = np.zeros((branches * levels, 3), np.int64)

        def run(maps: Any) -> None:
            check(library().nb_detector_maps(self._handle, planes.ctypes.data, *planes.shape[1:], sizes.ctypes.data, maps))

        run(None)
        maps = [np.empty(size, np.float32) for size in sizes]
        run(pointers(maps))
        return tuple(maps[i:i + levels] for i in range(0, len(maps), levels))


def decode(network: Mapping[str, Any], maps: Sequence[Sequence[np.ndarray]], size: Tuple[int, int]) -> Detections:
    """From the head's maps to boxes.

    Args:
        network (Mapping): What a packed file says of it: ``kind``, ``num_classes``, ``strides``, ``score_thr``, ``nms_pre``,
            ``iou_threshold``, ``max_per_img``, ``min_bbox_size`` and what its kind needs besides.
        maps (Sequence): As :meth:`NativeDetector.maps` gives them: per branch and level float32, shape (H_i, W_i, channels).
        size (tuple[int, int]): Height and width that boxes are clipped to.

    Raises:
        ValueError: If a setting is wrong, or a map has another shape.
    """
    flat = [np.ascontiguousarray(level, np.float32) for branch in maps for level in branch]
    sizes = np.array([level.shape for level in flat], np.int64)
    boxes = np.empty(network['max_per_img'], _BOX)
    described = json.dumps(dict(network)).encode()
    return _found(boxes, library().nb_decode(described, len(flat), sizes.ctypes.data, pointers(flat), *size,
                                             boxes.ctypes.data, len(boxes)))


def _found(boxes: np.ndarray, count: int) -> Detections:
    check(max(0, -count))
    found = boxes[:count]
    return Detections(found['corners'].copy(), found['label'].astype(np.int64), found['score'].copy())
