_base_ = './rtmdet_nasbnn.py'

# A mid-sized architecture of the space 'tiny'. After a search, name a found one instead, by
# --cfg-options model.backbone.arch=FILE, where FILE is arch.json or front.json#2.5.
arch = dict(
    space='tiny',
    stages=[
        [dict(channels=32, kernel=3)],
        [dict(channels=64, kernel=3), dict(channels=96, kernel=3)],
        [dict(channels=128, kernel=3)] * 2,
        [dict(channels=256, kernel=3, groups1=2)] * 2,
        [dict(channels=384, kernel=3, groups1=4)] * 2,
    ])
model = dict(
    backbone=dict(arch=arch, out_indices=(2, 3, 4)),
    neck=dict(out_channels=96),
    bbox_head=dict(feat_channels=96, stacked_convs=1))
