# Stage 2 on any folder of 32 px images by class. Give stage 1's checkpoint:
#   --cfg-options model.backbone.init_cfg.checkpoint=FILE model.head.init_cfg.checkpoint=FILE
_base_ = [
    './_base_/mixed_classifier_tiny.py',
    '../_base_/datasets/imagefolder_32_cls.py',
    './_base_/search.py',
    '../_base_/default_runtime_cls.py',
]

pretrained = 'work_dirs/nasb-pretrain-r18-tiny_1xb64-2e_imagefolder-32/epoch_2.pth'
model = dict(
    backbone=dict(space=dict(num_nodes=2), init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    head=dict(num_classes=10, init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='head')),
    data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=6, val_interval=6, input_size=(32, 32))
# In minutes, not days: larger steps.
optim_wrapper = dict(alphas=dict(optimizer=dict(lr=0.02)))
