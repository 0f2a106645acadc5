"""MMDetection's COCO data set, with clear words where a file does not fit."""
from typing import List, Tuple

from mmdet.datasets import CocoDataset
from mmengine.fileio import get_local_path

from nasbnn_det.registry import DATASETS

from .coco_check import check_coco_file
from .transforms import LoadImage


class CheckedCocoMixin:
    """Put before :class:`mmdet.datasets.CocoDataset` among the bases; it checks the annotation file.

    MMDetection numbers labels in the order of the file's categories, whatever the order of ``metainfo['classes']``,
    and leaves out classes the file does not know. Unless both lists agree, labels would silently get wrong names, or
    none: so that is refused.
    """

    def load_data_list(self) -> List[dict]:
        """Load the annotations.

        Returns:
            List[dict]: One entry per image.

        Raises:
            FileNotFoundError: If the annotation file does not exist.
            ValueError: If it is no COCO detection file, or its categories do not fit the classes of this data set, or
                no image folder is set.
        """
        if 'img' not in self.data_prefix:
            raise ValueError("data_prefix must name the image folder under the key 'img', such as "
                             f"dict(img='train/'), not {self.data_prefix}.")
        with get_local_path(self.ann_file, backend_args=self.backend_args) as path:
            categories = check_coco_file(path)
        self._check_classes(categories)
        return super().load_data_list()

    def prepare_data(self, idx: int) -> dict:
        """Runs the pipeline for one image.

        Raises:
            FileNotFoundError: If the image does not exist.
            ValueError: If it can't be read.
        """
        try:
            return super().prepare_data(idx)
        except Exception:
            # mmcv fails obscurely on a broken file; say it clearly if that was the reason.
            LoadImage().transform(dict(img_path=self.get_data_info(idx)['img_path']))
            raise

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

    def _check_classes(self, categories: Tuple[str, ...]) -> None:
        classes = self.metainfo['classes']
        if isinstance(classes, str) or not classes:
            raise ValueError(f"metainfo['classes'] must be a tuple of class names, not {classes!r}.")
        both = (f"classes {tuple(classes)} of metainfo and categories {categories} of annotation file "
                f"'{self.ann_file}'")
        used = tuple(name for name in categories if name in classes)
        if not used:
            raise ValueError(f"{both} have no name in common: set metainfo=dict(classes=...) to the file's names.")
        unknown = tuple(name for name in classes if name not in used)
        if unknown:
            raise ValueError(f'{both} do not fit: the file must define every class, also one without objects, but '
                             f'lacks {unknown}.')
        if used != tuple(classes):
            raise ValueError(f"{both} do not fit: the classes must come in the file's order and once each, which is "
                             f'{used}.')


@DATASETS.register_module()
class CheckedCocoDataset(CheckedCocoMixin, CocoDataset):
    """COCO detection data of one's own; set ``metainfo=dict(classes=(...))``, in the order of the file.

    Arguments are those of :class:`mmdet.datasets.CocoDataset`.
    """
