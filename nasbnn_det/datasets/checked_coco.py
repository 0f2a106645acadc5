"""MMDetection's COCO data set, with clear words where a file does not fit."""
import logging
from collections import Counter
from typing import Any, Dict, List, Optional

import cv2
from mmcv.transforms import LoadImageFromFile
from mmdet.datasets import CocoDataset
from mmengine.logging import print_log

from ..registry import DATASETS
from .coco_annotations import CocoAnnotations, read_annotations
from .transforms import LoadImage


class CheckedCocoMixin:
    """Put before :class:`mmdet.datasets.CocoDataset` among the bases; it checks annotations and images.

    Attributes:
        annotations (CocoAnnotations, optional): What the file holds, for the metric. None in a data set for training,
            which needs it no more, and in worker processes that are not forked.
    """

    annotations: Optional[CocoAnnotations] = None

    def COCOAPI(self, path: str) -> CocoAnnotations:
        """What :class:`mmdet.datasets.CocoDataset` calls to read its file: it is read already."""
        return self.annotations

    def load_data_list(self) -> List[dict]:
        """Load the annotations.

        Returns:
            List[dict]: One entry per image.

        Raises:
            FileNotFoundError: If the annotation file does not exist.
            ValueError: If it is no COCO detection file, or its categories do not fit the classes of this data set, or
                training would see none of its boxes, or no image folder is set.
        """
        if 'img' not in self.data_prefix:
            raise ValueError("data_prefix must name the image folder under the key 'img', such as "
                             f"dict(img='train/'), not {self.data_prefix}.")
        annotations = self.annotations = read_annotations(self.ann_file, self.backend_args)
        wanted = set(annotations.match_classes(self.metainfo['classes']))
        boxes = [a for a in annotations.dataset['annotations'] if a['category_id'] in wanted and not a.get('ignore')]
        if not self.test_mode and all(a['iscrowd'] for a in boxes):
            raise ValueError(f"annotation file '{self.ann_file}' has no object of the classes, crowds and ignored boxes "
                             'left aside: there is nothing to train on.')
        data_list = super().load_data_list()
        self._check_dropped(len(boxes), sum(len(info['instances']) for info in data_list))
        self._check_repeated([info['img_path'] for info in data_list])
        if not self.test_mode:
            self.annotations = None
        return data_list

    def prepare_data(self, idx: int) -> Any:
        """Runs the pipeline for one image.

        Raises:
            FileNotFoundError: If the image does not exist.
            ValueError: If it can't be read, or has another size than the annotation file says, or no size that the
                pipeline can make something of.
        """
        info = self.get_data_info(idx)
        path, size = info['img_path'], (info['height'], info['width'])
        try:
            sample = self.pipeline(info)
        except Exception as error:
            self._look_again(path)
            if isinstance(error, cv2.error):
                raise ValueError(f"image '{path}' of {size[1]} x {size[0]} pixels can't be prepared: a transform leaves "
                                 f'nothing of it ({error.err or error})') from error
            raise
        found = _original_size(sample)
        if found not in (None, size):
            raise ValueError(f"image '{path}' is {found[1]} x {found[0]} pixels, but annotation file '{self.ann_file}' says "
                             f'{size[1]} x {size[0]}: its boxes would not fit')
        return sample

    def filter_data(self) -> List[dict]:
        """Leave out images according to ``filter_cfg``.

        Returns:
            List[dict]: One entry per image that is left.

        Raises:
            ValueError: If none is left.
        """
        kept = super().filter_data()
        if not kept:
            raise ValueError(f"none of the {len(self.data_list)} images of annotation file '{self.ann_file}' is left "
                             f'after filter_cfg={self.filter_cfg}: at least one must meet it.')
        return kept

    def __getstate__(self) -> Dict[str, Any]:
        """Worker processes have no use for the annotations."""
        return {**self.__dict__, 'annotations': None}

    def _check_dropped(self, boxes: int, kept: int) -> None:
        """Tells of boxes that MMDetection leaves out."""
        why = 'narrower or lower than a pixel, or outside its image; boxes are x, y, width, height in pixels'
        if boxes and not kept:
            raise ValueError(f"annotation file '{self.ann_file}' has {boxes} boxes of the classes, and every one is {why}.")
        if kept < boxes and not self.test_mode:
            print_log(f"{boxes - kept} of {boxes} boxes of annotation file '{self.ann_file}' are left out: each is {why}.",
                      logger='current', level=logging.WARNING)

    def _check_repeated(self, paths: List[str]) -> None:
        """Tells of images that are listed more than once: their boxes may be spread over the entries."""
        path, times = Counter(paths).most_common(1)[0]
        if times > 1:
            print_log(f"{len(paths) - len(set(paths))} images of annotation file '{self.ann_file}' are listed again, such "
                      f"as '{path}' ({times} times): each entry is used with its own boxes alone.",
                      logger='current', level=logging.WARNING)

    def _look_again(self, path: str) -> None:
        """Mmcv fails obscurely on a broken file; says it clearly if that was the reason."""
        loader = next((t for t in self.pipeline.transforms if isinstance(t, LoadImageFromFile)), None)
        if loader is not None:
            LoadImage(imdecode_backend=loader.imdecode_backend, backend_args=loader.backend_args).transform(
                dict(img_path=path))


def _original_size(sample: Any) -> Optional[tuple]:
    """Height and width of the image that was loaded, as far as the sample tells."""
    if not isinstance(sample, dict):
        return None
    packed = sample.get('data_samples')
    # Test-time augmentation makes a list of them.
    packed = packed[0] if isinstance(packed, list) and packed else packed
    size = sample.get('ori_shape') if packed is None else getattr(packed, 'ori_shape', None)
    return None if size is None else tuple(size)


@DATASETS.register_module()
class CheckedCocoDataset(CheckedCocoMixin, CocoDataset):
    """COCO detection data of one's own; set ``metainfo=dict(classes=(...))``, in the order of the file.

    Arguments are those of :class:`mmdet.datasets.CocoDataset`.
    """
