# For a CPU, on any folder of 64 px images by class; set model.num_classes and the data_root of both loaders. In less than
# half of the published recipe's time it comes as far (docs/results.md): by more and smaller steps, a tenth of the rate for
# the classifier, a rate that falls by step, and small images first.
_base_ = [
    '../_base_/models/supernet.py',
    '../_base_/datasets/imagefolder_cls.py',
    '../_base_/schedules/supernet_adam.py',
    '../_base_/default_runtime_cls.py',
]

from nasbnn_det.datasets.pipelines import classification_pipelines

# Bi-Transformation has brought nothing here (docs/results.md): binarization='nasbnn' has it.
model = dict(
    space='small', num_classes=10, binarization='standardized', data_preprocessor=_base_.data_preprocessor)
train_pipeline, test_pipeline = classification_pipelines(64)
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=14, val_interval=14)
optim_wrapper = dict(paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1))))
param_scheduler = dict(convert_to_iter_based=True)
custom_hooks = [dict(type='nasbnn_det.GrowingImagesHook', stages=[(0.6, 32), (0.85, 48)])]
