# Faster R-CNN for minutes on a CPU, with few proposals and small anchors, beside
# rtmdet_nasbnn-tiny-wide_1xb4-60e_coco-tiny-train-320.py: the same backbone, schedule and images.
_base_ = [
    '../../_base_/models/faster_rcnn_nasbnn_57m.py',
    '../../_base_/datasets/coco_tiny_train.py',
    '../../_base_/schedules/detector_adamw.py',
    '../../_base_/default_runtime_det.py',
]

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
    # An architecture written out takes the place of the file's name.
    backbone=dict(
        _delete_=True, type='nasbnn_det.NASBNN', arch=arch, space='tiny', out_indices=(1, 2, 3, 4)),
    neck=dict(out_channels=64),
    rpn_head=dict(feat_channels=64, anchor_generator=dict(scales=[4])),
    train_cfg=dict(
        rpn_proposal=dict(nms_pre=500, max_per_img=300), rcnn=dict(sampler=dict(num=128))),
    test_cfg=dict(rpn=dict(nms_pre=500, max_per_img=300)))
train_cfg = dict(max_epochs=60, val_interval=10)
# As RTMDet there for the second stage; proposals have no classes to learn.
optim_wrapper = dict(
    optimizer=dict(lr=2e-3),
    paramwise_cfg=dict(
        groups=dict(class_predictors=dict(lr_mult=0.3)),
        custom_keys={f'rpn_cls.{name}': dict(lr_mult=0.1) for name in ('weight', 'bias')}))
