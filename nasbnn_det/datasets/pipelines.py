"""Steps that configs have in common, by image size."""
from typing import Any, Dict, List, Tuple

_Pipeline = List[Dict[str, Any]]
_GREY = dict(img=(127.5, 127.5, 127.5))


def detection_pipelines(scale: Tuple[int, int], crop: bool = False, pad: bool = True,
                        loader: str = 'LoadImageFromFile') -> Tuple[_Pipeline, _Pipeline]:
    """Pipelines of MMDetection for training and test.

    Args:
        scale (tuple[int, int]): Width and height that images are fitted into, aspect ratio kept.
        crop (bool): Trains on crops of randomly scaled images with changed colours, for large data sets. Defaults to False:
            on whole images.
        pad (bool): Fills images up to ``scale`` with grey. Defaults to True.
        loader (str): What reads an image for training; the test has MMDetection's, which its inferencer looks for.
            Defaults to 'LoadImageFromFile'.

    Returns:
        tuple[list[dict], list[dict]]: Training's and the test's.
    """
    resize = [dict(type='Resize', scale=scale, keep_ratio=True)]
    random: List[Dict[str, Any]] = [
        dict(type='RandomResize', scale=scale, ratio_range=(0.5, 2.0), keep_ratio=True),
        dict(type='RandomCrop', crop_size=scale),
        dict(type='YOLOXHSVRandomAug'),
    ]
    fill = [dict(type='Pad', size=scale, pad_val=_GREY)] if pad else []
    train: List[Dict[str, Any]] = [
        dict(type=loader),
        dict(type='LoadAnnotations', with_bbox=True),
        *(random if crop else resize),
        dict(type='RandomFlip', prob=0.5),
        *fill,
        dict(type='PackDetInputs'),
    ]
    test: List[Dict[str, Any]] = [
        dict(type='LoadImageFromFile'),
        *resize,
        *fill,
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
    ]
    return train, test


def classification_pipelines(size: int) -> Tuple[_Pipeline, _Pipeline]:
    """Pipelines of MMPretrain for small images that all have one size, as CIFAR-10's.

    Args:
        size (int): Height and width of the images. Training sees crops of that size after an eighth of it was added to each
            side.

    Returns:
        tuple[list[dict], list[dict]]: Training's and the test's.
    """
    load: _Pipeline = [dict(type='nasbnn_det.LoadImage')]
    random: _Pipeline = [
        dict(type='RandomCrop', crop_size=size, padding=size // 8),
        dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    ]
    pack: _Pipeline = [dict(type='PackInputs')]
    return [*load, *random, *pack], [*load, *pack]
