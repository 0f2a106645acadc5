# Stage 3 on crops of ShapesCOCO. Give what stage 2 wrote:
#   --cfg-options model.backbone.cells=cells.json model.backbone.init_cfg.checkpoint=FILE
#   model.head.init_cfg.checkpoint=FILE
_base_ = [
    './_base_/found_classifier_tiny.py',
    '../_base_/datasets/shapes_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

search = 'work_dirs/nasb-search-r18-tiny_1xb32-4e_shapes-48'
pretrained = search + '/epoch_4.pth'
# The detector's strides, so that its backbone sees objects at the scale it knows: 4 to 32.
stem = dict(pool=True)
model = dict(
    backbone=dict(
        cells=search + '/cells.json', stem=stem, init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    head=dict(num_classes=5, init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='head')),
    data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=4, val_interval=4)
test_dataloader = _base_.val_dataloader
test_cfg = dict()
test_evaluator = _base_.val_evaluator
