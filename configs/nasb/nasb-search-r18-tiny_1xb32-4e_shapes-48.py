# Stage 2 on crops of ShapesCOCO. Give stage 1's checkpoint:
#   --cfg-options model.backbone.init_cfg.checkpoint=FILE model.head.init_cfg.checkpoint=FILE
_base_ = [
    './_base_/mixed_classifier_tiny.py',
    '../_base_/datasets/shapes_cls.py',
    './_base_/search.py',
    '../_base_/default_runtime_cls.py',
]

pretrained = 'work_dirs/nasb-pretrain-r18-tiny_1xb32-2e_shapes-48/epoch_2.pth'
# The detector's strides, so that its backbone sees objects at the scale it knows: 4 to 32.
stem = dict(pool=True)
model = dict(
    backbone=dict(
        space=dict(num_nodes=2), stem=stem, init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    head=dict(num_classes=5, init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='head')),
    data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=4, val_interval=4, input_size=(48, 48))
# In minutes, not days: larger steps.
optim_wrapper = dict(alphas=dict(optimizer=dict(lr=0.02)))
