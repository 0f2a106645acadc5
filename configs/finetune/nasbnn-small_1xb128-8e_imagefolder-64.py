# Deployment B on 64 px images by class. At the paper's 1e-5 some thousand steps would change little.
_base_ = [
    '../_base_/models/subnet_classifier.py',
    '../_base_/datasets/imagefolder_cls.py',
    '../_base_/schedules/finetune_adam.py',
    '../_base_/default_runtime_cls.py',
]

from nasbnn_det.datasets.pipelines import classification_pipelines

arch = 'work_dirs/extract/arch.json'
subnet = 'work_dirs/extract/subnet.pth'
train_pipeline, test_pipeline = classification_pipelines(64)
model = dict(
    backbone=dict(
        arch=arch, out_indices=(4, ), binarization='standardized', init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    head=dict(num_classes=100, init_cfg=dict(type='Pretrained', checkpoint=subnet)),
    data_preprocessor=dict(_base_.data_preprocessor, num_classes=100))
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1))))
param_scheduler = dict(convert_to_iter_based=True)
train_cfg = dict(max_epochs=8, val_interval=8)
custom_hooks = [dict(type='nasbnn_det.GrowingImagesHook', stages=[(0.5, 48)])]
test_dataloader = dict(_base_.val_dataloader, dataset=dict(_base_.val_dataloader.dataset, pipeline=test_pipeline))
test_cfg = dict()
test_evaluator = _base_.val_evaluator
