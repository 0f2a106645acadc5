# Stage 1: ResNet-18 with all candidates of all edges mixed evenly.
_base_ = [
    './_base_/mixed_classifier.py',
    '../_base_/datasets/imagenet_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(
    backbone=dict(depth=18),
    head=dict(num_classes=1000),
    data_preprocessor=_base_.data_preprocessor)
auto_scale_lr = dict(enable=False, base_batch_size=512)
