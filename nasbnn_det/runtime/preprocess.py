"""Images as the detector takes them: read from files, from Pillow or from arrays. How they become the network's input is the
library's matter (``native/csrc/preprocess.cpp``)."""
import io
import os
import sys
from pathlib import Path
from typing import Any, Optional

import numpy as np

from ..image_files import is_truncated


def read_image(image: Any) -> np.ndarray:
    """An image as BGR, uint8, shape (H, W, 3). Files are read by OpenCV, or by Pillow where that is not installed.

    Args:
        image: An array or a tensor of that form, a Pillow image, or a file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file can't be read, the array has another form, or it is none of these.
        ModuleNotFoundError: If it is a file, and neither OpenCV nor Pillow is installed.
    """
    if isinstance(image, (str, os.PathLike)):
        return _read_file(image)
    pillow = sys.modules.get('PIL.Image')
    if pillow is not None and isinstance(image, pillow.Image):
        return _from_pillow(image)
    if not hasattr(image, '__array__'):
        raise ValueError('an image is a file, an array (H, W, 3) of uint8, BGR, or a Pillow image; this is of type '
                         f'{type(image).__name__}')
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or 0 in pixels.shape:
        raise ValueError(f'an image is an array (H, W, 3) of uint8, BGR; this one is {pixels.shape} of {pixels.dtype}')
    return pixels


def _from_pillow(image: Any) -> np.ndarray:
    return np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1])


def _read_file(path: Any) -> np.ndarray:
    if not Path(path).is_file():
        what = 'is a folder' if Path(path).is_dir() else 'does not exist'
        raise FileNotFoundError(f"image '{path}' {what}; give a file of this machine")
    content = Path(path).read_bytes()
    pixels = _decode(content) if content else None
    if pixels is None or is_truncated(content):
        raise ValueError(f"image '{path}' can't be read: it is cut off or no image; allowed are complete files that OpenCV "
                         'reads, such as jpg and png')
    return pixels


def _decode(content: bytes) -> Optional[np.ndarray]:
    try:
        import cv2
    except ImportError:
        return _decode_by_pillow(content)
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than OpenCV takes, for example
        return None


def _decode_by_pillow(content: bytes) -> Optional[np.ndarray]:
    """As OpenCV does it: turned by a camera's mark, without transparency, 16 bits cut to 8."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise ModuleNotFoundError('image files are read by OpenCV or Pillow, and neither is installed: pip install pillow, '
                                  'or give an array') from error
    try:
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
        if image.mode.startswith('I'):
            grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
            return np.repeat(grey[..., None], 3, 2)
        return _from_pillow(image)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None
