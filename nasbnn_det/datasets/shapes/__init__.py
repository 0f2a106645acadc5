from .annotations import CocoBuilder, encode_mask
from .crop import render_crop
from .scene import CLASSES, STREAMS, SceneObject, SceneParams, make_rng, render_scene
from .writer import write_shapes_coco

__all__ = [
    'CLASSES', 'STREAMS', 'CocoBuilder', 'SceneObject', 'SceneParams',
    'encode_mask', 'make_rng', 'render_crop', 'render_scene',
    'write_shapes_coco'
]
