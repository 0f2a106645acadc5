_base_ = './detector_adamw_24e.py'

# Of this head these are the predictors; of stock heads the binary towers have such names.
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            'bbox_head.cls_convs': dict(lr_mult=0.1),
            'bbox_head.reg_convs': dict(lr_mult=0.3),
        }))
