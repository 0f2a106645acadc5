"""Data sets and transforms. Making ShapesCOCO (``shapes``) and reading a COCO file (``coco_schema``) work without mmdet; the
registered data sets (``checked_coco``, ``shapes_coco``) need it and are imported when a config first names them."""
from .coco_schema import read_coco_file

__all__ = ['read_coco_file']
