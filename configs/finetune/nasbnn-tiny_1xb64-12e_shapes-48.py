# Deployment B on the crops of ShapesCOCO. At the paper's 1e-5 some hundred steps would change nothing.
_base_ = [
    '../_base_/models/subnet_classifier.py',
    '../_base_/datasets/shapes_cls.py',
    '../_base_/schedules/finetune_adam.py',
    '../_base_/default_runtime_cls.py',
]

arch = 'work_dirs/extract/arch.json'
subnet = 'work_dirs/extract/subnet.pth'
model = dict(
    backbone=dict(arch=arch, out_indices=(4, ), init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    head=dict(num_classes=5, init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    data_preprocessor=_base_.data_preprocessor)
optim_wrapper = dict(
    optimizer=dict(lr=5e-4), paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1))))
param_scheduler = dict(convert_to_iter_based=True)
train_cfg = dict(max_epochs=12, val_interval=12)
train_dataloader = dict(batch_size=64)
test_dataloader = _base_.val_dataloader
test_cfg = dict()
test_evaluator = _base_.val_evaluator
