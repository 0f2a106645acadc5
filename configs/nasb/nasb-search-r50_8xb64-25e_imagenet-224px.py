# Stage 2: ResNet-50, otherwise as ResNet-18.
_base_ = './nasb-search-r18_8xb64-25e_imagenet-224px.py'

pretrained = 'work_dirs/nasb-pretrain-r50_8xb64-25e_imagenet-224px/epoch_25.pth'
model = dict(
    backbone=dict(depth=50, init_cfg=dict(checkpoint=pretrained)),
    head=dict(init_cfg=dict(checkpoint=pretrained)))
