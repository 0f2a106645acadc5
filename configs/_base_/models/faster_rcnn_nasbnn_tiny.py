# Faster R-CNN on the architecture of rtmdet_nasbnn_tiny.py, for minutes on a CPU: few proposals, small anchors.
_base_ = './faster_rcnn_nasbnn_57m.py'

tiny_arch = dict(
    space='tiny',
    stages=[
        [dict(channels=32, kernel=3)],
        [dict(channels=64, kernel=3), dict(channels=96, kernel=3)],
        [dict(channels=128, kernel=3)] * 2,
        [dict(channels=256, kernel=3, groups1=2)] * 2,
        [dict(channels=384, kernel=3, groups1=4)] * 2,
    ])
model = dict(
    # An architecture written out takes the place of the file's name.
    backbone=dict(
        _delete_=True, type='nasbnn_det.NASBNN', arch=tiny_arch, space='tiny', out_indices=(1, 2, 3, 4)),
    neck=dict(out_channels=64),
    rpn_head=dict(feat_channels=64, anchor_generator=dict(scales=[4])),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=300), rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300)))
