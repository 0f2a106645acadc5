# Stage 3: ResNet-50, otherwise as ResNet-18.
_base_ = './nasb-finetune-r18_8xb64-100e_imagenet-224px.py'

search = 'work_dirs/nasb-search-r50_8xb64-25e_imagenet-224px'
pretrained = search + '/epoch_25.pth'
model = dict(
    backbone=dict(depth=50, cells=search + '/cells.json', init_cfg=dict(checkpoint=pretrained)),
    head=dict(init_cfg=dict(checkpoint=pretrained)))
