# The plain binary ResNet-18 (Bi-Real style, no cells) from random weights: the baseline. With
# model.backbone.cells=cells.json the found network alone, with model.backbone.num_bases=2 either with two bases.
_base_ = [
    './_base_/found_classifier_tiny.py',
    '../_base_/datasets/imagefolder_32_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(head=dict(num_classes=10), data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=10, val_interval=10)
test_dataloader = _base_.val_dataloader
test_cfg = dict()
test_evaluator = _base_.val_evaluator
