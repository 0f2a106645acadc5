# Stage 2: the cells of ResNet-18, from the network of stage 1. The training images are split in two halves; those that
# imagenet_cls.py holds out validate. Give stage 1's checkpoint:
#   --cfg-options model.backbone.init_cfg.checkpoint=FILE model.head.init_cfg.checkpoint=FILE
_base_ = [
    './_base_/mixed_classifier.py',
    '../_base_/datasets/imagenet_cls.py',
    './_base_/search.py',
    '../_base_/default_runtime_cls.py',
]

pretrained = 'work_dirs/nasb-pretrain-r18_8xb64-25e_in1k-224/epoch_25.pth'
model = dict(
    backbone=dict(depth=18, init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    head=dict(
        num_classes=1000,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='head')),
    data_preprocessor=_base_.data_preprocessor)
auto_scale_lr = dict(enable=False, base_batch_size=512)
