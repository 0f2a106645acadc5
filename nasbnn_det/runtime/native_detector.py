"""The library's whole detector (``native/include/nasbnn_det.h``) with arrays."""
import ctypes
import json
import os
import weakref
from functools import lru_cache
from typing import Any, List, Mapping, NamedTuple, Sequence, Tuple, Union

import numpy as np

from ..native import need_library
from .detections import Detections

_BOX = np.dtype([('corners', np.float32, 4), ('score', np.float32), ('label', np.int32)])
_ERRORS = {1: FileNotFoundError, 2: ValueError, 3: ValueError, 4: MemoryError}


class _CGeometry(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ('height', 'width', 'image_height', 'image_width')]
    _fields_ += [(name, ctypes.c_double) for name in ('scale_x', 'scale_y')]


class Prepared(NamedTuple):
    """An image as a network takes it.

    Args:
        planes (np.ndarray): Float32, shape (3, H, W).
        size (tuple[int, int]): Height and width of the image within it; boxes are clipped to them.
        scale (tuple[float, float]): Factors from the original image's width, and height.
    """
    planes: np.ndarray
    size: Tuple[int, int]
    scale: Tuple[float, float]


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    library = need_library()
    pointer, number, text = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p
    image = [pointer, number, number, number]
    for name, result, *arguments in (
            ('error', text),
            ('load', pointer, text, ctypes.c_int, pointer),
            ('load_memory', pointer, text, ctypes.c_size_t, ctypes.c_int, pointer),
            ('free', None, pointer),
            ('num_classes', ctypes.c_int, pointer),
            ('class_name', text, pointer, ctypes.c_int),
            ('max_boxes', ctypes.c_int, pointer),
            ('detect', ctypes.c_int, pointer, *image, ctypes.c_float, pointer, ctypes.c_int),
            ('detect_prepared', ctypes.c_int, pointer, pointer, pointer, ctypes.c_float, pointer, ctypes.c_int),
            ('plan', ctypes.c_int, pointer, number, number, pointer),
            ('prepare', ctypes.c_int, pointer, *image, pointer)):
        function = getattr(library, f'nasbnn_det_{name}')
        function.restype, function.argtypes = result, arguments
    library.nb_prepare.argtypes = [text, *image, pointer, pointer]
    library.nb_load_unchecked.restype = pointer
    library.nb_load_unchecked.argtypes = [text, ctypes.c_size_t, ctypes.c_int, pointer]
    library.nb_decode.argtypes = [text, pointer, pointer, pointer, number, number, pointer, ctypes.c_int]
    library.nb_detector_levels.argtypes = [pointer]
    library.nb_detector_maps.argtypes = [pointer, pointer, number, number, pointer, pointer, pointer]
    return library


def _check(status: int) -> int:
    """Raises what the library's last call of this thread says; returns a number that is no status of a failure."""
    if status:
        raise _ERRORS[status](_library().nasbnn_det_error().decode(errors='surrogateescape'))
    return status


class NativeDetector:
    """A detector that the library holds.

    Args:
        file: A packed file's path, or its bytes.
        threads (int): At most so many threads; 0 is as many as ``OMP_NUM_THREADS`` says, or as the process may use CPUs.
        check_sum (bool): False takes bytes whose checksum is wrong. Defaults to True.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no packed file, is damaged, or is of a network that needs its config.
        MemoryError: If there is not enough memory.
        RuntimeError: If the kernels can't be compiled.
    """

    def __init__(self, file: Union[str, os.PathLike, bytes], threads: int, check_sum: bool = True) -> None:
        library, status = _library(), ctypes.c_int()
        if isinstance(file, bytes):
            load = library.nasbnn_det_load_memory if check_sum else library.nb_load_unchecked
            self._handle = load(file, len(file), threads, ctypes.byref(status))
        else:
            self._handle = library.nasbnn_det_load(os.fsencode(file), threads, ctypes.byref(status))
        _check(status.value)
        weakref.finalize(self, library.nasbnn_det_free, self._handle)
        self._room = library.nasbnn_det_max_boxes(self._handle)
        self.classes = tuple(library.nasbnn_det_class_name(self._handle, i).decode('utf-8', 'surrogatepass')
                             for i in range(library.nasbnn_det_num_classes(self._handle)))

    def detect(self, pixels: np.ndarray, score_thr: float) -> Detections:
        """Finds objects in an image: BGR, uint8, shape (H, W, 3)."""
        boxes, pixels = np.empty(self._room, _BOX), _packed_pixels(pixels)
        return _found(boxes, _library().nasbnn_det_detect(self._handle, *_image(pixels), score_thr, boxes.ctypes.data,
                                                               self._room))

    def detect_prepared(self, x: Prepared, score_thr: float) -> Detections:
        """Finds objects in a prepared image."""
        boxes, planes = np.empty(self._room, _BOX), _planes(x.planes)
        geometry = _CGeometry(*planes.shape[1:], *x.size, *x.scale)
        return _found(boxes, _library().nasbnn_det_detect_prepared(
            self._handle, planes.ctypes.data, ctypes.byref(geometry), score_thr, boxes.ctypes.data, self._room))

    def prepare(self, pixels: np.ndarray) -> Prepared:
        """What :meth:`detect` makes of an image before the network."""
        geometry, pixels = _CGeometry(), _packed_pixels(pixels)
        data, width, height, stride = _image(pixels)
        _check(_library().nasbnn_det_plan(self._handle, width, height, ctypes.byref(geometry)))
        planes = np.empty((3, geometry.height, geometry.width), np.float32)
        _check(_library().nasbnn_det_prepare(self._handle, data, width, height, stride, planes.ctypes.data))
        return _prepared(planes, geometry)

    def maps(self, planes: np.ndarray) -> Tuple[List[np.ndarray], List[np.ndarray]]:
        """Class logits (H_i, W_i, classes) and distances to the sides in pixels (H_i, W_i, 4) of each level.

        Args:
            planes (np.ndarray): Float32, shape (3, H, W).
        """
        planes = _planes(planes)
        levels = _library().nb_detector_levels(self._handle)
        sizes = np.zeros((levels, 2), np.int64)

        def run(*outputs: Any) -> None:
            _check(_library().nb_detector_maps(self._handle, planes.ctypes.data, *planes.shape[1:], sizes.ctypes.data,
                                               *outputs))

        run(None, None)
        branches = [[np.empty((*size, channels), np.float32) for size in sizes] for channels in (len(self.classes), 4)]
        run(*map(_pointers, branches))
        return branches[0], branches[1]


def decode(network: Mapping[str, Any], logits: Sequence[np.ndarray], distances: Sequence[np.ndarray],
           size: Tuple[int, int]) -> Detections:
    """From the head's maps to boxes.

    Args:
        network (Mapping): What a packed file says of it: ``num_classes``, ``strides``, ``offset``, ``score_thr``,
            ``nms_pre``, ``iou_threshold``, ``max_per_img``, ``min_bbox_size``.
        logits (Sequence[np.ndarray]): Per level, float32, shape (H_i, W_i, classes).
        distances (Sequence[np.ndarray]): Per level, left, top, right, bottom in pixels, float32, shape (H_i, W_i, 4).
        size (tuple[int, int]): Height and width that boxes are clipped to.

    Raises:
        ValueError: If a setting is wrong, or a map has another shape.
    """
    maps = [[np.ascontiguousarray(level, np.float32) for level in branch] for branch in (logits, distances)]
    for branch, channels in zip(maps, (network['num_classes'], 4)):
        wanted = [(*level.shape[:2], channels) for level in maps[0]]
        if len(wanted) != len(network['strides']) or [level.shape for level in branch] != wanted:
            raise ValueError(f'maps have the shapes {[level.shape for level in branch]}; {wanted} are wanted')
    sizes = np.array([level.shape[:2] for level in maps[0]], np.int64)
    boxes = np.empty(network['max_per_img'], _BOX)
    return _found(boxes, _library().nb_decode(json.dumps(dict(network)).encode(), sizes.ctypes.data, *map(_pointers, maps),
                                              *size, boxes.ctypes.data, len(boxes)))


def prepare(described: Mapping[str, Any], pixels: np.ndarray) -> Prepared:
    """Prepares an image as a packed file's description of it says.

    Args:
        described (Mapping): ``scale``, ``keep_ratio``, ``pad_size``, ``pad_value``, ``mean``, ``std``, ``to_rgb``,
            ``divisor``; what is left out has no effect.
        pixels (np.ndarray): BGR, uint8, shape (H, W, 3).

    Raises:
        ValueError: If a key is unknown, a value is wrong, or nothing of the image would be left.
    """
    geometry, pixels, text = _CGeometry(), _packed_pixels(pixels), json.dumps(dict(described)).encode()
    _check(_library().nb_prepare(text, *_image(pixels), ctypes.byref(geometry), None))
    planes = np.empty((3, geometry.height, geometry.width), np.float32)
    _check(_library().nb_prepare(text, *_image(pixels), ctypes.byref(geometry), planes.ctypes.data))
    return _prepared(planes, geometry)


def _found(boxes: np.ndarray, count: int) -> Detections:
    _check(max(0, -count))
    found = boxes[:count]
    return Detections(found['corners'].copy(), found['label'].astype(np.int64), found['score'].copy())


def _pointers(arrays: Sequence[np.ndarray]) -> ctypes.Array:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def _prepared(planes: np.ndarray, geometry: _CGeometry) -> Prepared:
    return Prepared(planes, (geometry.image_height, geometry.image_width), (geometry.scale_x, geometry.scale_y))


def _packed_pixels(pixels: np.ndarray) -> np.ndarray:
    """The image with its pixels side by side; rows may lie apart."""
    fits = pixels.strides[1:] == (3, 1) and pixels.strides[0] >= 3 * pixels.shape[1]
    return pixels if fits else np.ascontiguousarray(pixels)


def _image(pixels: np.ndarray) -> Tuple[int, int, int, int]:
    return pixels.ctypes.data, pixels.shape[1], pixels.shape[0], pixels.strides[0]


def _planes(planes: Any) -> np.ndarray:
    array = np.asarray(planes)
    if array.dtype != np.float32 or array.ndim != 3 or array.shape[0] != 3 or 0 in array.shape:
        raise ValueError(f'a prepared image is an array (3, H, W) of float32; this one is {array.shape} of {array.dtype}')
    return np.ascontiguousarray(array)
