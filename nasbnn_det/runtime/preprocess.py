"""From an image file or array to the network's input, as a config's test pipeline and data preprocessor do it."""
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Tuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..image_files import is_truncated


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the network's input.

    Args:
        scale (tuple[int, int], optional): Width and height that the image is resized to; None leaves it.
        keep_ratio (bool): The image is resized to fit inside ``scale``, its proportions kept.
        pad_size (tuple[int, int], optional): Width and height it is padded to at the right and bottom.
        pad_value (tuple[float, float, float]): What it is padded with, in the file's order of colours (BGR).
        mean (tuple[float, float, float]): Subtracted, in the network's order of colours.
        std (tuple[float, float, float]): Divided by.
        to_rgb (bool): The network wants RGB.
        divisor (int): After normalisation, padded with zeros to a multiple of this.

    Raises:
        ValueError: If a value is none that makes sense.
    """
    scale: Optional[Tuple[int, int]] = None
    keep_ratio: bool = True
    pad_size: Optional[Tuple[int, int]] = None
    pad_value: Tuple[float, float, float] = (0.0, 0.0, 0.0)
    mean: Tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: Tuple[float, float, float] = (1.0, 1.0, 1.0)
    to_rgb: bool = True
    divisor: int = 1

    def __post_init__(self) -> None:
        for name in ('scale', 'pad_size'):
            value = getattr(self, name)
            if value is not None:
                if not _is_list(value, int, 2) or not all(1 <= v <= 16384 for v in value):
                    raise ValueError(f'{name} is {value!r}; allowed are null and two integers from 1 to 16384')
                object.__setattr__(self, name, tuple(value))
        for name in ('pad_value', 'mean', 'std'):
            value = getattr(self, name)
            if not _is_list(value, (int, float), 3) or not all(-1e6 < v < 1e6 for v in value):
                raise ValueError(f'{name} is {value!r}; three finite numbers are wanted')
            object.__setattr__(self, name, tuple(float(v) for v in value))
        if min(self.std) <= 0:
            raise ValueError(f'std is {self.std}; three positive numbers are wanted')
        if type(self.keep_ratio) is not bool or type(self.to_rgb) is not bool:
            raise ValueError('keep_ratio and to_rgb must be true or false')
        if type(self.divisor) is not int or not 1 <= self.divisor <= 1024:
            raise ValueError(f'divisor is {self.divisor!r}; allowed are integers from 1 to 1024')

    def to_dict(self) -> Dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'Preprocessing':
        """Reads :meth:`to_dict`'s form.

        Raises:
            ValueError: If a key is unknown or a value is wrong.
        """
        if not isinstance(data, dict) or set(data) - set(cls.__dataclass_fields__):
            raise ValueError(f'preprocessing is described by {sorted(cls.__dataclass_fields__)}')
        return cls(**data)

    def __call__(self, image: np.ndarray) -> Tuple[Tensor, Tuple[int, int], Tuple[float, float]]:
        """Prepares an image.

        Args:
            image (np.ndarray): BGR, uint8, shape (H, W, 3).

        Returns:
            tuple: The input of shape (1, 3, H', W'); height and width of the image within it; the factors from the
            original width and height.

        Raises:
            ValueError: If nothing of the image would be left, as where MMDetection's ``Resize`` fails.
        """
        import cv2  # only detectors need it
        height, width = image.shape[:2]
        size = self._new_size(width, height)
        if size != (width, height):
            image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        if self.pad_size:
            right, bottom = (max(0, want - have) for want, have in zip(self.pad_size, size))
            image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=self.pad_value)
        x = torch.from_numpy(np.ascontiguousarray(image[..., ::-1] if self.to_rgb else image)).permute(2, 0, 1).float()
        x = (x - torch.tensor(self.mean).view(3, 1, 1)) / torch.tensor(self.std).view(3, 1, 1)
        down, across = (-n % self.divisor for n in x.shape[1:])
        x = torch.nn.functional.pad(x, (0, across, 0, down))
        # As MMDetection: boxes are clipped to what Pad made of the image.
        inner = (max(size[1], self.pad_size[1]), max(size[0], self.pad_size[0])) if self.pad_size else size[::-1]
        return x.unsqueeze(0), inner, (size[0] / width, size[1] / height)

    def _new_size(self, width: int, height: int) -> Tuple[int, int]:
        if self.scale is None:
            return width, height
        if not self.keep_ratio:
            return self.scale
        factor = min(max(self.scale) / max(width, height), min(self.scale) / min(width, height))
        size = int(width * factor + 0.5), int(height * factor + 0.5)
        if 0 in size:
            raise ValueError(f'an image of {width} x {height} pixels is too narrow or too low: its proportions kept, '
                             f'{size[0]} x {size[1]} pixels of it would be left')
        return size


def _is_list(value: Any, kind: Any, length: int) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == length and all(
        isinstance(v, kind) and not isinstance(v, bool) for v in value)


def read_image(image: Any) -> np.ndarray:
    """An image as BGR, uint8, shape (H, W, 3).

    Args:
        image: An array of that form, a Pillow image, or a file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a file can't be read, the array has another form, or it is none of these.
    """
    import cv2
    if isinstance(image, Image.Image):
        return np.ascontiguousarray(np.asarray(image.convert('RGB'))[..., ::-1])
    if not isinstance(image, (np.ndarray, str, os.PathLike)):
        raise ValueError('an image is a file, an array (H, W, 3) of uint8, BGR, or a Pillow image; this is of type '
                         f'{type(image).__name__}')
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(f'an image is an array (H, W, 3) of uint8, BGR; this one is {image.shape} of {image.dtype}')
        return image
    if not Path(image).is_file():
        what = 'is a folder' if Path(image).is_dir() else 'does not exist'
        raise FileNotFoundError(f"image '{image}' {what}; give a file of this machine")
    content = Path(image).read_bytes()
    try:
        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    except cv2.error:  # more pixels than OpenCV takes, for example
        pixels = None
    if pixels is None or is_truncated(content):
        raise ValueError(f"image '{image}' can't be read: it is cut off or no image; allowed are complete files that OpenCV "
                         'reads, such as jpg and png')
    return pixels
