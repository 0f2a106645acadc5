"""The library's packed networks (``native/include/nasbnn_det.h``) with arrays: loading, and what images become."""
import ctypes
import json
import os
import weakref
from functools import lru_cache
from typing import Any, Mapping, NamedTuple, Sequence, Tuple, Union

import numpy as np

from ..native import need_library

_ERRORS = {1: FileNotFoundError, 2: ValueError, 3: ValueError, 4: MemoryError}
#: What the library calls the kinds of networks, in its order.
KINDS = ('detector', 'classifier', 'backbone')


class CGeometry(ctypes.Structure):
    """``nasbnn_det_geometry``."""
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
def library() -> ctypes.CDLL:
    """The kernels' library, its functions' arguments told.

    Raises:
        RuntimeError: If it can't be compiled.
    """
    loaded = need_library()
    pointer, number, text = ctypes.c_void_p, ctypes.c_int64, ctypes.c_char_p
    integer, real = ctypes.c_int, ctypes.c_float
    image, planes = [pointer, number, number, number], [pointer, number, number]
    of_file, of_memory = [text, integer, pointer], [text, ctypes.c_size_t, integer, pointer]
    for name, result, *arguments in (
            ('error', text),
            ('load', pointer, *of_file),
            ('load_memory', pointer, *of_memory),
            ('load_backbone', pointer, *of_file),
            ('load_backbone_memory', pointer, *of_memory),
            ('free', None, pointer),
            ('kind_of', integer, pointer),
            ('num_classes', integer, pointer),
            ('class_name', text, pointer, integer),
            ('max_boxes', integer, pointer),
            ('detect', integer, pointer, *image, real, pointer, integer),
            ('detect_prepared', integer, pointer, pointer, pointer, real, pointer, integer),
            ('classify', integer, pointer, *image, pointer, pointer),
            ('classify_prepared', integer, pointer, *planes, pointer, pointer),
            ('num_maps', integer, pointer),
            ('map_sizes', integer, pointer, number, number, pointer),
            ('maps', integer, pointer, *planes, pointer),
            ('plan', integer, pointer, number, number, pointer),
            ('prepare', integer, pointer, *image, pointer)):
        function = getattr(loaded, f'nasbnn_det_{name}')
        function.restype, function.argtypes = result, arguments
    loaded.nb_prepare.argtypes = [text, *image, pointer, pointer]
    loaded.nb_load_unchecked.restype = pointer
    loaded.nb_load_unchecked.argtypes = of_memory
    loaded.nb_decode.argtypes = [text, integer, pointer, pointer, number, number, pointer, integer]
    loaded.nb_detector_levels.argtypes = loaded.nb_detector_branches.argtypes = [pointer]
    loaded.nb_detector_maps.argtypes = [pointer, *planes, pointer, pointer]
    return loaded


def check(status: int) -> int:
    """Raises what the library's last call of this thread says; returns a number that is no status of a failure."""
    if status:
        raise _ERRORS[status](library().nasbnn_det_error().decode(errors='surrogateescape'))
    return status


class NativeNetwork:
    """A network that the library holds.

    Args:
        file: A packed file's path, or its bytes.
        threads (int): At most so many threads; 0 is as many as ``OMP_NUM_THREADS`` says, or as the process may use CPUs.
        check_sum (bool): False takes bytes whose checksum is wrong. Defaults to True.

    Attributes:
        kind (str): One of :data:`KINDS`.
        classes (tuple[str]): Names of the classes; empty if there are none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no packed file, is damaged, or is of another kind of network or of one that needs its config.
        MemoryError: If there is not enough memory.
        RuntimeError: If the kernels can't be compiled.
    """
    #: The kind that files must be of.
    KIND = ''

    def __init__(self, file: Union[str, os.PathLike, bytes], threads: int, check_sum: bool = True) -> None:
        lib, status = library(), ctypes.c_int()
        part = '_backbone' if self.KIND == 'backbone' else ''
        if isinstance(file, bytes):
            load = getattr(lib, f'nasbnn_det_load{part}_memory') if check_sum else lib.nb_load_unchecked
            self._handle = load(file, len(file), threads, ctypes.byref(status))
        else:
            self._handle = getattr(lib, f'nasbnn_det_load{part}')(os.fsencode(file), threads, ctypes.byref(status))
        check(status.value)
        weakref.finalize(self, lib.nasbnn_det_free, self._handle)
        self.kind = KINDS[lib.nasbnn_det_kind_of(self._handle)]
        if self.kind != self.KIND:
            name = 'the packed file in memory' if isinstance(file, bytes) else f"packed file '{os.fspath(file)}'"
            raise ValueError(f'{name} is of a {self.kind}, a {self.KIND} is wanted; nasbnn_det.runtime.'
                             f'Packed{self.kind.capitalize()} runs it')
        names = (lib.nasbnn_det_class_name(self._handle, i) for i in range(lib.nasbnn_det_num_classes(self._handle)))
        self.classes = tuple(name.decode('utf-8', 'surrogatepass') for name in names if name is not None)

    def prepare(self, pixels: np.ndarray) -> Prepared:
        """What the library makes of an image before the network: BGR, uint8, shape (H, W, 3).

        Raises:
            ValueError: If the file does not say how, or nothing of the image would be left.
        """
        geometry, pixels = CGeometry(), packed_pixels(pixels)
        data, width, height, stride = image_arguments(pixels)
        check(library().nasbnn_det_plan(self._handle, width, height, ctypes.byref(geometry)))
        planes = np.empty((3, geometry.height, geometry.width), np.float32)
        check(library().nasbnn_det_prepare(self._handle, data, width, height, stride, planes.ctypes.data))
        return _prepared(planes, geometry)


def prepare(described: Mapping[str, Any], pixels: np.ndarray) -> Prepared:
    """Prepares an image as a packed file's description of it says.

    Args:
        described (Mapping): ``scale``, ``keep_ratio``, ``pad_size``, ``pad_value``, ``mean``, ``std``, ``to_rgb``,
            ``divisor``; what is left out has no effect.
        pixels (np.ndarray): BGR, uint8, shape (H, W, 3).

    Raises:
        ValueError: If a key is unknown, a value is wrong, or nothing of the image would be left.
    """
    geometry, pixels, text = CGeometry(), packed_pixels(pixels), json.dumps(dict(described)).encode()
    check(library().nb_prepare(text, *image_arguments(pixels), ctypes.byref(geometry), None))
    planes = np.empty((3, geometry.height, geometry.width), np.float32)
    check(library().nb_prepare(text, *image_arguments(pixels), ctypes.byref(geometry), planes.ctypes.data))
    return _prepared(planes, geometry)


def as_planes(planes: Any) -> np.ndarray:
    """A prepared image as the library takes it.

    Raises:
        ValueError: If it is no array (3, H, W) of float32.
    """
    array = np.asarray(planes)
    if array.dtype != np.float32 or array.ndim != 3 or array.shape[0] != 3 or 0 in array.shape:
        raise ValueError(f'a prepared image is an array (3, H, W) of float32; this one is {array.shape} of {array.dtype}')
    return np.ascontiguousarray(array)


def pointers(arrays: Sequence[np.ndarray]) -> ctypes.Array:
    """Where the arrays' numbers lie."""
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def packed_pixels(pixels: np.ndarray) -> np.ndarray:
    """The image with its pixels side by side; rows may lie apart."""
    fits = pixels.strides[1:] == (3, 1) and pixels.strides[0] >= 3 * pixels.shape[1]
    return pixels if fits else np.ascontiguousarray(pixels)


def image_arguments(pixels: np.ndarray) -> Tuple[int, int, int, int]:
    """An image of :func:`packed_pixels` as the library's functions take it: data, width, height, bytes from row to row."""
    return pixels.ctypes.data, pixels.shape[1], pixels.shape[0], pixels.strides[0]


def _prepared(planes: np.ndarray, geometry: CGeometry) -> Prepared:
    return Prepared(planes, (geometry.image_height, geometry.image_width), (geometry.scale_x, geometry.scale_y))
