# MMDetection's RetinaNet, full-precision neck and head, on a found ResNet-18: for comparison with the literature. Give
# model.backbone.cells and model.backbone.init_cfg as stage 3 wrote them.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    'mmdet::_base_/datasets/coco_detection.py',
    '../_base_/schedules/detector_adamw.py',
    '../_base_/default_runtime_det.py',
]

max_epochs = 24
image_scale = (320, 320)
finetune = 'work_dirs/nasb-finetune-r18_8xb64-100e_imagenet-224px'
model = dict(
    type='nasbnn_det.BinaryRetinaNet',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='nasbnn_det.NASBResNet',
        depth=18,
        cells='work_dirs/nasb-search-r18_8xb64-25e_imagenet-224px/cells.json',
        frozen_stages=0,
        init_cfg=dict(type='Pretrained', checkpoint=finetune + '/epoch_100.pth')),
    neck=dict(in_channels=None))
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='Resize', scale=image_scale, keep_ratio=True),
    dict(type='RandomFlip', prob=0.5),
    dict(type='PackDetInputs'),
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=image_scale, keep_ratio=True),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]
train_dataloader = dict(batch_size=16, num_workers=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(batch_size=16, num_workers=8, dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
# The head is real-valued: the rate of binary weights is too high for it.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=0.3), bbox_head=dict(lr_mult=0.3))))
param_scheduler = _base_.param_scheduler
param_scheduler[1].update(end=max_epochs, T_max=max_epochs)
train_cfg = dict(max_epochs=max_epochs, val_interval=6)
auto_scale_lr = dict(enable=False, base_batch_size=128)
