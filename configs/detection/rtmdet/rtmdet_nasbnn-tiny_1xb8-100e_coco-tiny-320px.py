# Trained and evaluated on the same 217 photographs: whether a binary detector can learn them, and how its twin does.
_base_ = [
    '../../_base_/models/rtmdet_nasbnn_tiny.py',
    '../../_base_/datasets/coco_tiny_train.py',
    '../../_base_/schedules/detector_adamw.py',
    '../../_base_/default_runtime_det.py',
]

max_epochs = 100
model = dict(bbox_head=dict(num_classes=80))
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
