"""Data sets and transforms. Making ShapesCOCO (``shapes``) and checking a COCO file work without mmdet; the
registered data sets (``checked_coco``, ``shapes_coco``) need it and are imported when a config first names them."""
from .coco_check import check_coco_file

__all__ = ['check_coco_file']
