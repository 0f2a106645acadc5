_base_ = [
    '../_base_/models/subnet_classifier.py',
    '../_base_/datasets/cifar10_cls.py',
    '../_base_/schedules/finetune_adam.py',
    '../_base_/default_runtime_cls.py',
]

arch = 'work_dirs/extract/arch.json'
subnet = 'work_dirs/extract/subnet.pth'
model = dict(
    backbone=dict(arch=arch, out_indices=(4, ), init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    head=dict(num_classes=10, init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    data_preprocessor=_base_.data_preprocessor)
train_dataloader = dict(batch_size=512)
test_dataloader = _base_.val_dataloader
test_cfg = dict()
test_evaluator = _base_.val_evaluator
