# Stage 1 on crops of ShapesCOCO.
_base_ = [
    './_base_/mixed_classifier_tiny.py',
    '../_base_/datasets/shapes_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

# The detector's strides, so that its backbone sees objects at the scale it knows: 4 to 32.
stem = dict(pool=True)
model = dict(
    backbone=dict(space=dict(num_nodes=2), stem=stem),
    head=dict(num_classes=5),
    data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=2, val_interval=2)
