# RTMDet with binary neck and towers on the narrow ResNet-18, strides 8, 16 and 32. After a search, name its cells and
# the fine-tuned weights: model.backbone.cells=FILE model.backbone.init_cfg.type=Pretrained
# model.backbone.init_cfg.checkpoint=FILE. Without cells it stands on the plain binary ResNet.
_base_ = '../../_base_/models/rtmdet_nasbnn.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='nasbnn_det.NASBResNet',
        depth=18,
        base_channels=16,
        stem=dict(kernel_size=3, stride=2, pool=True),
        out_indices=(1, 2, 3)),
    neck=dict(out_channels=96),
    bbox_head=dict(feat_channels=96, stacked_convs=1))
