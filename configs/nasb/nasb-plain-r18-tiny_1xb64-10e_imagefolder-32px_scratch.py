# The plain binary ResNet-18 (Bi-Real style, no cells) from random weights: the baseline. With
# model.backbone.cells=cells.json the found network alone, with model.backbone.num_bases=2 either with two bases.
_base_ = [
    './_base_/found_classifier_tiny.py',
    '../_base_/datasets/imagefolder_32px_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

max_epochs = 10
model = dict(head=dict(num_classes=10), data_preprocessor=_base_.data_preprocessor)
param_scheduler = dict(end=max_epochs, T_max=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
test_dataloader = _base_.val_dataloader
test_cfg = dict()
test_evaluator = _base_.val_evaluator
