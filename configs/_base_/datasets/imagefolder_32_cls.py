# Any folder of 32 px images by class: DATA_ROOT/train/<class>/*.jpg and DATA_ROOT/val/<class>/*.jpg.
_base_ = './imagefolder_cls.py'

train_pipeline = [
    dict(type='nasbnn_det.LoadImage'),
    dict(type='RandomCrop', crop_size=32, padding=4),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='nasbnn_det.LoadImage'),
    dict(type='PackInputs'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
