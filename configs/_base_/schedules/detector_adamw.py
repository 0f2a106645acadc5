# For binary detectors: AdamW without decay at a rate that lets latent weights change sign, warm-up, clipping, cosine.
# A child sets its epochs in train_cfg; the schedule ends with them.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=9, val_interval=9)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='nasbnn_det.BinaryOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=5e-3, weight_decay=0.0, fused=True),
    # Predictors, of whatever head, are real-valued and see many large features: at the rate of binary weights their outputs
    # jump.
    paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1), box_predictors=dict(lr_mult=0.3))),
    clip_grad=dict(max_norm=10, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=True, begin=0, eta_min_ratio=0.01, convert_to_iter_based=True),
]
