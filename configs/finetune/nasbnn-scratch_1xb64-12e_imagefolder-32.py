# A network of the ablations alone, from random weights: what tools/analysis_tools/rank_correlation.py trains.
_base_ = [
    '../_base_/models/subnet_classifier.py',
    '../_base_/datasets/imagefolder_32_cls.py',
    '../_base_/schedules/finetune_adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(head=dict(num_classes=10), data_preprocessor=_base_.data_preprocessor)
optim_wrapper = dict(
    optimizer=dict(lr=2.5e-3), paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1))))
param_scheduler = dict(convert_to_iter_based=True)
train_cfg = dict(max_epochs=12, val_interval=12)
test_dataloader = _base_.val_dataloader
test_cfg = dict()
test_evaluator = _base_.val_evaluator
