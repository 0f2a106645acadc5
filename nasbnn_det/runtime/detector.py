"""A detector from a packed file alone: no config, no MMDetection, no PyTorch."""
import os
from typing import Any, List, Optional, Tuple

import numpy as np

from .detections import Detections
from .native_detector import NativeDetector
from .native_network import Prepared
from .network import PackedNetwork
from .preprocess import read_image


class PackedDetector(PackedNetwork):
    """Detects objects on a CPU, from a file of a detector that stands by itself, as ``tools/deploy/pack.py`` writes it: of
    RTMDet, RetinaNet, FCOS or SSD. Arguments: :class:`PackedNetwork`.

    Attributes:
        classes (tuple[str]): Names of the classes.
    """
    NATIVE = NativeDetector
    _native: NativeDetector

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.classes = self._native.classes

    def __call__(self, image: Any, score_thr: float = 0.0) -> Any:
        """Detects the objects in an image, or in each image of a list.

        Boxes end at the image's border; one that lies wholly in what the image was padded with is left out. (MMDetection
        clips to the padded image.)

        Args:
            image: A file; an array or a tensor of BGR, uint8, shape (H, W, 3); a Pillow image; or a list or tuple of them.
            score_thr (float): Lowest score returned. Defaults to 0, all that the file's own threshold leaves.

        Returns:
            Detections | list[Detections]: Boxes in pixels of the image, labels and scores, best first.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the image can't be read, has another form, or is too narrow or too low to be resized.
        """
        if isinstance(image, (list, tuple)):
            return [self(one, score_thr) for one in image]
        pixels = read_image(image)
        try:
            return self._native.detect(pixels, score_thr)
        except ValueError as error:
            raise error if not isinstance(image, (str, os.PathLike)) else ValueError(f"image '{image}': {error}") from error

    def detect_prepared(self, planes: Any, size: Tuple[int, int], scale: Tuple[float, float] = (1.0, 1.0),
                        score_thr: float = 0.0) -> Detections:
        """Detects objects in an image that is prepared already.

        Args:
            planes: An array or a tensor, float32, shape (3, H, W).
            size (tuple[int, int]): Height and width of the image within it; boxes are clipped to them.
            scale (tuple[float, float]): Factors from the original image's width, and height. Defaults to 1.
            score_thr (float): As for a call.

        Returns:
            Detections: Boxes in pixels of the original image.

        Raises:
            ValueError: If the array has another form, or is too small for the network.
        """
        return self._native.detect_prepared(Prepared(planes, size, scale), score_thr)

    def maps(self, planes: Any) -> Tuple[List[np.ndarray], ...]:
        """What the head computes of a prepared image, as MMDetection's head gives it: per branch and level a map (H_i, W_i,
        channels). First class logits, then boxes: of RTMDet and FCOS distances to a box's left, top, right and bottom side
        in pixels, of RetinaNet and SSD what moves and scales each anchor; then FCOS's logits of centerness."""
        return self._native.maps(planes)

    def draw(self, image: Any, found: Optional[Detections] = None,
             score_thr: float = 0.3) -> np.ndarray:
        """Draws detections; needs OpenCV and Pillow.

        Args:
            image: As for a call.
            found (Detections, optional): What to draw. Defaults to None, what a call finds.
            score_thr (float): Lowest score drawn. Defaults to 0.3.

        Returns:
            np.ndarray: A picture of the image's shape, BGR, uint8.
        """
        from ..visualization.detections import draw_boxes
        pixels = read_image(image)
        found = self(pixels) if found is None else found
        kept = found.scores >= score_thr
        return draw_boxes(pixels, found.boxes[kept], found.labels[kept].tolist(), self.classes, found.scores[kept].tolist())
