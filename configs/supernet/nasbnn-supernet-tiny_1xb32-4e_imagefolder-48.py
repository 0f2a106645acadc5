# Any folder of images by class; set model.num_classes and the data_root of both loaders.
_base_ = [
    '../_base_/models/supernet.py',
    '../_base_/datasets/imagefolder_cls.py',
    '../_base_/schedules/supernet_adam_short.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(space='tiny', num_classes=10, data_preprocessor=_base_.data_preprocessor)
train_dataloader = dict(batch_size=32)
train_cfg = dict(max_epochs=4, val_interval=4)
