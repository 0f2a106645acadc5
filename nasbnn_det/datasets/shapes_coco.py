"""The made data set ShapesCOCO, as MMDetection reads it."""
from pathlib import Path
from typing import List

from mmdet.datasets import CocoDataset

from ..registry import DATASETS
from .checked_coco import CheckedCocoMixin
from .shapes import CLASSES


@DATASETS.register_module()
class ShapesCocoDataset(CheckedCocoMixin, CocoDataset):
    """Detection part of ShapesCOCO, see :func:`nasbnn_det.datasets.shapes.write_shapes_coco`.

    Under ``data_root``, ``annotations/instances_{train,val}.json`` belong to the images in ``train`` and ``val``.
    Arguments are those of :class:`mmdet.datasets.CocoDataset`.
    """

    METAINFO = dict(
        classes=CLASSES, palette=[(220, 20, 60), (0, 114, 178), (0, 158, 115), (240, 200, 40), (170, 70, 200)])

    def load_data_list(self) -> List[dict]:
        """Load the annotations.

        Returns:
            List[dict]: One entry per image.

        Raises:
            FileNotFoundError: If the set has not been made; names the command that makes it.
            ValueError: If the annotation file is no COCO detection file, or not of these classes.
        """
        if self.ann_file and not Path(self.ann_file).exists():
            raise FileNotFoundError(
                f"ShapesCOCO's annotation file '{self.ann_file}' does not exist; make the set by "
                f"`python tools/dataset_converters/shapes_coco.py --out {self.data_root or 'DATA_ROOT'}`.")
        return super().load_data_list()
