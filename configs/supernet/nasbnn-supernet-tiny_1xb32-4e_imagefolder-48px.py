# Any folder of images by class; set model.num_classes and the data_root of both loaders.
_base_ = [
    '../_base_/models/supernet_tiny.py',
    '../_base_/datasets/imagefolder_cls.py',
    '../_base_/schedules/supernet_adam_short.py',
    '../_base_/default_runtime_cls.py',
]

max_epochs = 4
model = dict(num_classes=10, data_preprocessor=_base_.data_preprocessor)
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=max_epochs, val_interval=max_epochs)
param_scheduler = dict(end=max_epochs, T_max=max_epochs)
