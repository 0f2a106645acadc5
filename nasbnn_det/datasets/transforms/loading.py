"""Loads images, and says clearly which of them cannot be loaded."""
from typing import Optional

import cv2
import mmcv
import numpy as np
from mmcv.transforms import LoadImageFromFile
from mmengine import fileio

from ...image_files import is_truncated
from ...registry import TRANSFORMS

_ALLOWED = 'a complete image in a format that {} reads, such as JPEG or PNG'


@TRANSFORMS.register_module()
class LoadImage(LoadImageFromFile):
    """Like mmcv's ``LoadImageFromFile``, but a missing, truncated or otherwise unreadable file is named as such.

    Required keys: ``img_path``. Added keys: ``img``, (H, W, 3) uint8 BGR by default, ``img_shape`` and
    ``ori_shape``, both (H, W) in pixels. Arguments are those of :class:`mmcv.transforms.LoadImageFromFile`; the
    deprecated ``file_client_args`` is not among them.
    """

    def __init__(self,
                 to_float32: bool = False,
                 color_type: str = 'color',
                 imdecode_backend: str = 'cv2',
                 ignore_empty: bool = False,
                 *,
                 backend_args: Optional[dict] = None) -> None:
        super().__init__(to_float32, color_type, imdecode_backend, ignore_empty=ignore_empty,
                         backend_args=backend_args)

    def transform(self, results: dict) -> Optional[dict]:
        """Load the image that ``results`` names.

        Args:
            results (dict): What is known of the sample so far; changed in place.

        Returns:
            dict | None: ``results``; None if the image cannot be loaded and ``ignore_empty`` is set.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is no complete image.
        """
        try:
            image = self._load(str(results['img_path']))
        except (FileNotFoundError, ValueError):
            if self.ignore_empty:
                return None
            raise
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def _load(self, path: str) -> np.ndarray:
        allowed = _ALLOWED.format(self.imdecode_backend)
        try:
            content = fileio.get(path, backend_args=self.backend_args)
        except FileNotFoundError:
            raise FileNotFoundError(f"image '{path}' does not exist: the image folder (data_root and data_prefix), "
                                    "joined to the image's file name, must lead to it.") from None
        except OSError as error:
            raise ValueError(f"image '{path}' cannot be read ({error.strerror or error}): it must be {allowed}."
                             ) from error
        if not content:
            raise ValueError(f"image '{path}' is empty: it must be {allowed}.")
        image = self._decode(content)
        if image is None:
            raise ValueError(f"image '{path}' is truncated or no image: it must be {allowed}.")
        return image

    def _decode(self, content: bytes) -> Optional[np.ndarray]:
        """The image, or None if there is no complete one."""
        try:
            image = mmcv.imfrombytes(content, flag=self.color_type, backend=self.imdecode_backend)
        except (cv2.error, OSError, SyntaxError):
            return None
        return None if is_truncated(content) else image
