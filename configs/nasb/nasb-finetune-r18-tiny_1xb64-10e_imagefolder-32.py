# Stage 3 on any folder of 32 px images by class. Give what stage 2 wrote:
#   --cfg-options model.backbone.cells=cells.json model.backbone.init_cfg.checkpoint=FILE
#   model.head.init_cfg.checkpoint=FILE
_base_ = './nasb-plain-r18-tiny_1xb64-10e_imagefolder-32.py'

search = 'work_dirs/nasb-search-r18-tiny_1xb64-6e_imagefolder-32'
pretrained = search + '/epoch_6.pth'
model = dict(
    backbone=dict(cells=search + '/cells.json', init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    head=dict(init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='head')))
