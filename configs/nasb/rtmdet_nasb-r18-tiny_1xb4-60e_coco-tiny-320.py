_base_ = [
    './_base_/rtmdet_tiny.py',
    '../_base_/datasets/coco_tiny.py',
    '../_base_/schedules/detector_adamw.py',
    '../_base_/default_runtime_det.py',
]

model = dict(bbox_head=dict(num_classes=80))
train_cfg = dict(max_epochs=60, val_interval=60)
# As in the other detector of these photographs: few images of many classes, so the class predictors learn faster.
optim_wrapper = dict(
    optimizer=dict(lr=4e-3), paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.3))))
