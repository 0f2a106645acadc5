_base_ = [
    '../../_base_/models/ssd_nasbnn_57m.py',
    '../../_base_/datasets/coco_320px.py',
    '../../_base_/schedules/detector_adamw_100e.py',
    '../../_base_/default_runtime_det_ema.py',
]
# The last level is one pixel: a batch norm needs more than one image there.
train_dataloader = dict(drop_last=True)
# Of this head these are the predictors.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'bbox_head.cls_convs': dict(lr_mult=0.1),
            'bbox_head.reg_convs': dict(lr_mult=0.3),
        }))
