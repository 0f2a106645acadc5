# The published recipe on any folder of 64 px images by class; set model.num_classes and the data_root of both loaders.
_base_ = [
    '../_base_/models/supernet.py',
    '../_base_/datasets/imagefolder_cls.py',
    '../_base_/schedules/supernet_adam.py',
    '../_base_/default_runtime_cls.py',
]

model = dict(space='tiny', num_classes=100, data_preprocessor=dict(_base_.data_preprocessor, num_classes=100))
train_pipeline = [
    dict(type='nasbnn_det.LoadImage'),
    dict(type='RandomCrop', crop_size=64, padding=8),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='nasbnn_det.LoadImage'),
    dict(type='PackInputs'),
]
train_dataloader = dict(batch_size=512, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=50, val_interval=50)
