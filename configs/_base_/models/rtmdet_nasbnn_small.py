# On a found backbone that comes with the package, trained on photographs: nasbnn_det/pretrained/models.
_base_ = './rtmdet_nasbnn.py'

weights = 'nasbnn_det://nasbnn-tin100-m'
model = dict(
    binarization='standardized',
    backbone=dict(arch=weights, out_indices=(2, 3, 4), init_cfg=dict(type='Pretrained', checkpoint=weights)),
    neck=dict(out_channels=128),
    bbox_head=dict(feat_channels=128, stacked_convs=1))
