"""A detector for somebody's own set: its config, written from the set and the time that there is."""
import math
from dataclasses import dataclass
from typing import Optional

from ..datasets.own_set import OwnSet, Split

#: However much time there is.
MOST_EPOCHS = 300
_VALIDATIONS = 6
_TEXT = '''# Written by train_own.py; a config like any other: change it, train it by tools/train.py, test by tools/test.py.
_base_ = '{base}'

from nasbnn_det.datasets.pipelines import detection_pipelines

size = ({size}, {size})
mine = dict(data_root={root!r}, metainfo=dict(classes={classes!r}))
train_pipeline, test_pipeline = detection_pipelines(size, loader='nasbnn_det.LoadImage')
train_dataloader = dict(
    batch_size={batch},
    dataset=dict(pipeline=train_pipeline, filter_cfg=dict(filter_empty_gt=False), {train}, **mine))
val_dataloader = dict(batch_size={batch}, dataset=dict(pipeline=test_pipeline, {val}, **mine))
test_dataloader = val_dataloader
model = dict(bbox_head=dict(num_classes={num_classes}))
train_cfg = dict(max_epochs={epochs}, val_interval={val_interval})
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end={warmup}),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, eta_min_ratio=0.01, convert_to_iter_based=True),
]
default_hooks = dict(checkpoint=dict(interval={val_interval}, max_keep_ckpts=1, save_best='coco/bbox_mAP'))
'''


@dataclass(frozen=True)
class Schedule:
    """How long to train.

    Args:
        steps (int): Steps of an epoch.
        epochs (int): Epochs.
        warmup (int): Steps of a rising rate.
        val_interval (int): Epochs between two evaluations; the last one is evaluated whatever it says.
    """
    steps: int
    epochs: int
    warmup: int
    val_interval: int


def choose_schedule(num_images: int, batch: int, epochs: Optional[int] = None, minutes: Optional[float] = None,
                    seconds: Optional[float] = None) -> Schedule:
    """Epochs from the time that there is, the rest from the number of images.

    Args:
        num_images (int): Training images.
        batch (int): Images of a step.
        epochs (int, optional): If they are given, ``minutes`` is not looked at.
        minutes (float, optional): Time for the training's steps.
        seconds (float, optional): Time of a step.

    Raises:
        ValueError: If the time is not enough for an epoch, or neither epochs nor a time is given.
    """
    steps = math.ceil(num_images / batch)
    if epochs is None:
        if minutes is None or not seconds:
            raise ValueError('a schedule needs a number of epochs, or minutes and the seconds of a step')
        epochs = min(MOST_EPOCHS, int(60 * minutes / (seconds * steps)))
    if epochs < 1:
        raise ValueError(f'{minutes:g} minutes are not enough for one epoch of {steps} steps at {seconds:.2f} s; give more '
                         'time, or smaller images')
    return Schedule(steps, epochs, min(300, max(1, steps * epochs // 20)), max(1, round(epochs / _VALIDATIONS)))


def config_text(own: OwnSet, base: str, size: int, batch: int, schedule: Schedule) -> str:
    """The text of a config.

    Args:
        own (OwnSet): The set.
        base (str): Config of a detector on a COCO-format set.
        size (int): Height and width in pixels that images are fitted into.
        batch (int): Images of a step.
        schedule (Schedule): How long to train.
    """
    def part(split: Split) -> str:
        return f'ann_file={split.ann_file!r}, data_prefix=dict(img={split.images!r})'

    return _TEXT.format(base=base, size=size, root=own.root.rstrip('/') + '/', classes=own.classes, batch=batch,
                        train=part(own.train), val=part(own.val), num_classes=len(own.classes), epochs=schedule.epochs,
                        val_interval=schedule.val_interval, warmup=schedule.warmup)
