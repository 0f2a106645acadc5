# Ours, the paper's code being unpublished: Adam without decay at a rate that lets latent weights change sign, cosine
# by iteration; a tenth of it for the real-valued classifier. A child sets its epochs in train_cfg.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='nasbnn_det.BinaryOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=2.5e-3, weight_decay=0.0, fused=True),
    paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1))))
param_scheduler = dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=True, begin=0, convert_to_iter_based=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=25, val_interval=25)
val_cfg = dict()
