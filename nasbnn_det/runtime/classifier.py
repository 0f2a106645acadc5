"""A classifier from a packed file alone: no config, no MMPretrain, no PyTorch."""
import os
from typing import Any, NamedTuple, Tuple

import numpy as np

from .native_network import NativeNetwork, as_planes, check, image_arguments, library, packed_pixels
from .network import PackedNetwork
from .preprocess import read_image


class Classification(NamedTuple):
    """What an image is of.

    Args:
        logits (np.ndarray): Of each class, float32, shape (classes, ).
        probabilities (np.ndarray): Likewise; they add up to 1.
    """
    logits: np.ndarray
    probabilities: np.ndarray

    @property
    def label(self) -> int:
        """The likeliest class's index."""
        return int(self.probabilities.argmax())


class NativeClassifier(NativeNetwork):
    """A classifier that the library holds. Arguments: :class:`NativeNetwork`."""
    KIND = 'classifier'

    @property
    def num_classes(self) -> int:
        """Classes."""
        return library().nasbnn_det_num_classes(self._handle)

    def classify(self, pixels: np.ndarray) -> Classification:
        """Classifies an image: BGR, uint8, shape (H, W, 3)."""
        found, pixels = self._empty(), packed_pixels(pixels)
        check(library().nasbnn_det_classify(self._handle, *image_arguments(pixels), *(a.ctypes.data for a in found)))
        return found

    def classify_prepared(self, planes: Any) -> Classification:
        """Classifies a prepared image: float32, shape (3, H, W)."""
        found, planes = self._empty(), as_planes(planes)
        check(library().nasbnn_det_classify_prepared(self._handle, planes.ctypes.data, *planes.shape[1:],
                                                     *(a.ctypes.data for a in found)))
        return found

    def _empty(self) -> Classification:
        return Classification(*np.empty((2, self.num_classes), np.float32))


class PackedClassifier(PackedNetwork):
    """Classifies images on a CPU, by a file of a classifier that stands by itself, as ``tools/deploy/pack.py`` writes it.
    Arguments: :class:`PackedNetwork`.

    Attributes:
        classes (tuple[str]): Names of the classes; empty if the file does not name them.
        num_classes (int): Classes.
    """
    NATIVE = NativeClassifier
    _native: NativeClassifier

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.classes: Tuple[str, ...] = self._native.classes
        self.num_classes = self._native.num_classes

    def __call__(self, image: Any) -> Any:
        """Classifies an image, or each image of a list.

        Args:
            image: A file; an array or a tensor of BGR, uint8, shape (H, W, 3); a Pillow image; or a list or tuple of them.
                Resizing and cropping to the size that the network was trained for is the caller's.

        Returns:
            Classification | list[Classification]: Logits and probabilities.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the image can't be read, has another form, or is too small for the network.
        """
        if isinstance(image, (list, tuple)):
            return [self(one) for one in image]
        pixels = read_image(image)
        try:
            return self._native.classify(pixels)
        except ValueError as error:
            raise error if not isinstance(image, (str, os.PathLike)) else ValueError(f"image '{image}': {error}") from error

    def classify_prepared(self, planes: Any) -> Classification:
        """Classifies an image that is prepared already.

        Args:
            planes: An array or a tensor, float32, shape (3, H, W).

        Raises:
            ValueError: If the array has another form, or is too small for the network.
        """
        return self._native.classify_prepared(planes)
