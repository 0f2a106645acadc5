# Stage 1: ResNet-50 with all candidates of all edges mixed evenly.
_base_ = [
    './_base_/mixed_classifier.py',
    '../_base_/datasets/imagenet_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(
    backbone=dict(depth=50),
    head=dict(num_classes=1000, in_channels=2048),
    data_preprocessor=_base_.data_preprocessor)
auto_scale_lr = dict(enable=False, base_batch_size=512)
