# Stage 3: the found cells of ResNet-18, trained on from the search's weights. The real validation images are used here.
# Without cells and init_cfg this is the plain binary ResNet-18; num_bases=2 gives every binary convolution two bases.
_base_ = [
    './_base_/found_classifier.py',
    '../_base_/datasets/imagenet_cls.py',
    './_base_/adam.py',
    '../_base_/default_runtime_cls.py',
]

search = 'work_dirs/nasb-search-r18_8xb64-25e_in1k-224'
pretrained = search + '/epoch_25.pth'
model = dict(
    backbone=dict(
        depth=18, cells=search + '/cells.json', init_cfg=dict(type='Pretrained', checkpoint=pretrained)),
    head=dict(
        num_classes=1000,
        init_cfg=dict(type='Pretrained', checkpoint=pretrained, prefix='head')),
    data_preprocessor=_base_.data_preprocessor)
train_cfg = dict(max_epochs=100, val_interval=5)
val_dataloader = dict(dataset=dict(ann_file='', data_prefix='val'))
test_dataloader = _base_.val_dataloader
test_dataloader.dataset.update(ann_file='', data_prefix='val')
test_cfg = dict()
test_evaluator = dict(type='Accuracy', topk=(1, 5))
auto_scale_lr = dict(enable=False, base_batch_size=512)
