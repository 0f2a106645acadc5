_base_ = [
    '../_base_/models/rtmdet_nasbnn.py',
    '../_base_/datasets/shapes_coco.py',
    '../_base_/default_runtime_det.py',
]

max_epochs = 12
base_lr = 5e-3
# A mid-sized architecture of the space 'tiny'. After a search, name a found one instead, by --cfg-options with
# model.backbone.arch=FILE model.neck.in_channels.arch=FILE, where FILE is arch.json or front.json#2.5.
arch = dict(
    space='tiny',
    stages=[
        [dict(channels=24, kernel=3)],
        [dict(channels=64, kernel=3)],
        [dict(channels=128, kernel=3)] * 2,
        [dict(channels=256, kernel=3, groups1=2)] * 2,
        [dict(channels=384, kernel=3, groups1=4)] * 2,
    ])
out_indices = (2, 3, 4)
model = dict(
    backbone=dict(arch=arch, out_indices=out_indices),
    neck=dict(in_channels=dict(arch=arch, out_indices=out_indices), out_channels=128),
    bbox_head=dict(num_classes=5, in_channels=128, feat_channels=128, stacked_convs=1))

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.0),
    clip_grad=dict(max_norm=10, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs, eta_min=base_lr * 0.01,
         convert_to_iter_based=True),
]
