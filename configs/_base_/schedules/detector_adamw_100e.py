# The recipe of detector_adamw.py for COCO: 100 epochs, half the rate (there are more steps). Why: docs/detectors.md.
_base_ = './detector_adamw.py'

max_epochs = 100
base_lr = 2.5e-3
train_cfg = dict(max_epochs=max_epochs, val_interval=10)
optim_wrapper = dict(
    optimizer=dict(lr=base_lr),
    paramwise_cfg=dict(
        custom_keys={
            # Predictors of the other heads: real-valued, as rtm_cls and rtm_reg are.
            'retina_cls': dict(lr_mult=0.1),
            'retina_reg': dict(lr_mult=0.3),
            'rpn_cls': dict(lr_mult=0.1),
            'rpn_reg': dict(lr_mult=0.3),
            'fc_cls': dict(lr_mult=0.1),
            'fc_reg': dict(lr_mult=0.3),
            'conv_cls': dict(lr_mult=0.1),
            'conv_reg': dict(lr_mult=0.3),
            'conv_centerness': dict(lr_mult=0.3),
        }))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=1000),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs, eta_min_ratio=0.01,
         convert_to_iter_based=True),
]
auto_scale_lr = dict(enable=False, base_batch_size=128)
