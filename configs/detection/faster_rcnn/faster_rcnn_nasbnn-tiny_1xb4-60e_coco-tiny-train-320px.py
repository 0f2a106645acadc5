# Beside rtmdet_nasbnn-tiny-wide_1xb4-60e_coco-tiny-train-320px.py: the same backbone, schedule and images.
_base_ = [
    '../../_base_/models/faster_rcnn_nasbnn_tiny.py',
    '../../_base_/datasets/coco_tiny_train.py',
    '../../_base_/schedules/detector_adamw.py',
    '../../_base_/default_runtime_det.py',
]

max_epochs = 60
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
# As RTMDet there for the second stage; proposals have no classes to learn.
optim_wrapper = dict(
    optimizer=dict(lr=2e-3),
    paramwise_cfg=dict(
        groups=dict(class_predictors=dict(lr_mult=0.3)),
        custom_keys={f'rpn_cls.{name}': dict(lr_mult=0.1) for name in ('weight', 'bias')}))
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
