# For binary detectors: AdamW without decay at a rate that lets latent weights change sign, warm-up, clipping, cosine.
# A child sets its epochs: train_cfg, and end and T_max of param_scheduler[1].
max_epochs = 9
base_lr = 5e-3
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=max_epochs)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='nasbnn_det.BinaryOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.0, fused=True),
    # Predictors, of whatever head, are real-valued and see many large features: at the rate of binary weights their outputs
    # jump.
    paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1), box_predictors=dict(lr_mult=0.3))),
    clip_grad=dict(max_norm=10, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, end=max_epochs, T_max=max_epochs, eta_min_ratio=0.01,
         convert_to_iter_based=True),
]
