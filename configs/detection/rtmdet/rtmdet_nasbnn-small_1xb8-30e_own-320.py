# A set of one's own, from a backbone that comes with the package. tools/train_own.py writes a child of it for a set.
_base_ = [
    '../../_base_/models/rtmdet_nasbnn_small.py',
    '../../_base_/datasets/own_coco.py',
    '../../_base_/schedules/detector_adamw.py',
    '../../_base_/default_runtime_det.py',
]

model = dict(bbox_head=dict(num_classes=80))
train_cfg = dict(max_epochs=30, val_interval=5)
# Few images: the class predictors have further to go than on the made set.
optim_wrapper = dict(
    optimizer=dict(lr=4e-3), paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.3))))
