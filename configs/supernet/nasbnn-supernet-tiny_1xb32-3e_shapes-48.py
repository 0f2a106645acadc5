_base_ = [
    '../_base_/models/supernet.py',
    '../_base_/datasets/shapes_cls.py',
    '../_base_/schedules/supernet_adam_short.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(space='tiny', num_classes=5, data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=3, val_interval=3)
