# COCO 2017 at 320 px: random scale and crop, colours, flips.
_base_ = 'mmdet::_base_/datasets/coco_detection.py'

dataset_type = 'nasbnn_det.CheckedCocoDataset'
image_scale = (320, 320)
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='RandomResize', scale=image_scale, ratio_range=(0.5, 2.0), keep_ratio=True),
    dict(type='RandomCrop', crop_size=image_scale),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='Pad', size=image_scale, pad_val=dict(img=(127.5, 127.5, 127.5))),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale, keep_ratio=True),
    dict(type='Pad', size=image_scale, pad_val=dict(img=(127.5, 127.5, 127.5))),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
# A last batch of one image would leave a batch norm without statistics.
train_dataloader = dict(
    batch_size=16, num_workers=8, batch_sampler=None, drop_last=True,
    dataset=dict(type=dataset_type, pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, num_workers=8, dataset=dict(type=dataset_type, pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='nasbnn_det.FastCocoMetric')
test_evaluator = val_evaluator
