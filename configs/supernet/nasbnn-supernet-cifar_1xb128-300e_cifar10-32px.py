_base_ = [
    '../_base_/models/supernet_cifar.py',
    '../_base_/datasets/cifar10_cls.py',
    '../_base_/schedules/supernet_adam.py',
    '../_base_/default_runtime_cls.py',
]

max_epochs = 300
model = dict(num_classes=10, data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = dict(end=max_epochs, T_max=max_epochs)
