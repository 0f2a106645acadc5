_base_ = [
    '../_base_/models/supernet.py',
    '../_base_/datasets/cifar10_cls.py',
    '../_base_/schedules/supernet_adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(space='cifar', num_classes=10, data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=300, val_interval=300)
