# ImageNet as everyone has it: DATA_ROOT/train/<class>/*.JPEG and DATA_ROOT/val/<class>/*.JPEG. The search must not see the
# validation images: 50 training images of each class are held out, once, by
#   python tools/dataset_converters/hold_out.py data/imagenet/train --per-class 50 --out data/imagenet/meta
data_root = 'data/imagenet/'
num_classes = 1000
data_preprocessor = dict(
    type='mmpretrain.ClsDataPreprocessor', num_classes=num_classes, mean=[127.5] * 3, std=[127.5] * 3, to_rgb=True)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale=224),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short'),
    dict(type='CenterCrop', crop_size=224),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=8,
    persistent_workers=True,
    drop_last=True,
    collate_fn=dict(type='nasbnn_det.stack_images'),
    dataset=dict(
        type='CustomDataset', data_root=data_root, ann_file='meta/train.txt', data_prefix='train',
        with_label=True, pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True))
# The held-out training images.
val_dataloader = dict(
    batch_size=256,
    num_workers=8,
    persistent_workers=True,
    collate_fn=dict(type='nasbnn_det.stack_images'),
    dataset=dict(
        type='CustomDataset', data_root=data_root, ann_file='meta/held_out.txt', data_prefix='train',
        with_label=True, pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='Accuracy', topk=(1, 5))
