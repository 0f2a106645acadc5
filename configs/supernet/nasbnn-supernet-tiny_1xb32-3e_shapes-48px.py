_base_ = [
    '../_base_/models/supernet_tiny.py',
    '../_base_/datasets/shapes_cls.py',
    '../_base_/schedules/supernet_adam_short.py',
    '../_base_/default_runtime_cls.py',
]

max_epochs = 3
model = dict(num_classes=5, data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = dict(end=max_epochs, T_max=max_epochs)
