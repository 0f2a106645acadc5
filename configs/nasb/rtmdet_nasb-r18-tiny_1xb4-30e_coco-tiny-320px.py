_base_ = [
    './_base_/rtmdet_tiny.py',
    '../_base_/datasets/coco_tiny.py',
    '../_base_/schedules/detector_adamw.py',
    '../_base_/default_runtime_det.py',
]

max_epochs = 30
model = dict(bbox_head=dict(num_classes=80))
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
optim_wrapper = dict(optimizer=dict(lr=3e-3), paramwise_cfg=dict(custom_keys={'.step': dict(lr_mult=0.005)}))
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
