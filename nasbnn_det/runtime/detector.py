"""A detector from a packed file alone: no config, no MMDetection."""
import os
from typing import Any, Optional, Union

import numpy as np

from .file import PackedFile, load_packed
from .preprocess import Preprocessing, read_image
from .rtmdet import Detections, PackedRTMDet

#: Networks that run without MMDetection. Each offers ``describe`` of a packed model of MMDetection, ``from_dict`` of chains
#: and that description, ``settings.num_classes`` and ``detect``.
NETWORKS = {'rtmdet': PackedRTMDet}


class PackedDetector:
    """Detects objects on a CPU.

    Args:
        path: A packed file of a detector that stands by itself, as ``tools/deploy/pack.py`` writes it.

    Attributes:
        classes (tuple[str]): Names of the classes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no packed file, is damaged, or is of a network that needs its config.
    """

    def __init__(self, path: Union[str, os.PathLike]) -> None:
        self._build(load_packed(path), path)

    def _build(self, packed: PackedFile, path: Union[str, os.PathLike]) -> None:
        network = packed.info.get('network')
        if network is None:
            reason = packed.info.get('needs_config')
            raise ValueError(f"packed file '{path}' does not stand by itself{f' ({reason})' if reason else ''}: evaluate it "
                             f'with tools/test.py CONFIG {path}')
        try:
            kind = network.get('kind') if isinstance(network, dict) else None
            if not isinstance(kind, str) or kind not in NETWORKS:
                raise ValueError(f'its network is {network!r}; this release knows the kind '
                                 + ' and '.join(map(repr, NETWORKS)))
            settings = {key: value for key, value in network.items() if key != 'kind'}
            self.network = NETWORKS[kind].from_dict(packed.chains, settings).eval()
            self.preprocessing = Preprocessing.from_dict(packed.info.get('preprocessing'))
            classes = packed.info.get('classes')
            if not isinstance(classes, list) or len(classes) != self.network.settings.num_classes or \
                    not all(isinstance(name, str) for name in classes):
                raise ValueError(f'it needs the names of {self.network.settings.num_classes} classes')
        except ValueError as error:
            raise ValueError(f"packed file '{path}' describes no detector: {error}") from error
        self.classes = tuple(classes)

    def __call__(self, image: Any, score_thr: float = 0.0) -> Any:
        """Detects the objects in an image, or in each image of a list.

        Boxes end at the image's border; one that lies wholly in what the image was padded with is left out. (MMDetection
        clips to the padded image.)

        Args:
            image: A file; an array of BGR, uint8, shape (H, W, 3); a Pillow image; or a list or tuple of them.
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
            x, size, scale = self.preprocessing(pixels)
        except ValueError as error:
            raise error if pixels is image else ValueError(f"image '{image}': {error}") from error
        found, = self.network.detect(x, [size], [scale])
        height, width = pixels.shape[:2]
        boxes = found.boxes.minimum(found.boxes.new_tensor([width, height] * 2))
        inside = (boxes[:, 2:] > boxes[:, :2]).all(1)
        kept = inside & (found.scores >= score_thr)
        return Detections(boxes[kept], found.labels[kept], found.scores[kept])

    def draw(self, image: Any, found: Optional[Detections] = None,
             score_thr: float = 0.3) -> np.ndarray:
        """Draws detections.

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
        return draw_boxes(pixels, found.boxes[kept].numpy(), found.labels[kept].tolist(), self.classes,
                          found.scores[kept].tolist())
