# MMDetection's RetinaNet, full-precision neck and head, on a found ResNet-18: for comparison with the literature. Give
# model.backbone.cells and model.backbone.init_cfg as stage 3 wrote them.
_base_ = [
    'mmdet::_base_/models/retinanet_r50_fpn.py',
    '../_base_/datasets/coco_320.py',
    '../_base_/schedules/detector_adamw.py',
    '../_base_/default_runtime_det.py',
]

finetune = 'work_dirs/nasb-finetune-r18_8xb64-100e_in1k-224'
model = dict(
    type='nasbnn_det.BinaryRetinaNet',
    data_preprocessor=dict(mean=[127.5] * 3, std=[127.5] * 3),
    backbone=dict(
        _delete_=True,
        type='nasbnn_det.NASBResNet',
        depth=18,
        cells='work_dirs/nasb-search-r18_8xb64-25e_in1k-224/cells.json',
        frozen_stages=0,
        init_cfg=dict(type='Pretrained', checkpoint=finetune + '/epoch_100.pth')),
    neck=dict(in_channels=None))
# The head is real-valued: the rate of binary weights is too high for it.
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys=dict(neck=dict(lr_mult=0.3), bbox_head=dict(lr_mult=0.3))))
train_cfg = dict(max_epochs=24, val_interval=6)
auto_scale_lr = dict(enable=False, base_batch_size=128)
