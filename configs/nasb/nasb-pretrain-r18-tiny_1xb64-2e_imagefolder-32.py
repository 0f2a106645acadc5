# Stage 1 on any folder of 32 px images by class; set model.head.num_classes and the data_root of both loaders.
_base_ = [
    './_base_/mixed_classifier_tiny.py',
    '../_base_/datasets/imagefolder_32_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(
    backbone=dict(space=dict(num_nodes=2)), head=dict(num_classes=10), data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=2, val_interval=2)
