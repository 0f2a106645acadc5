# NAS-BNN's recipe to the letter (arXiv 2408.15484, Sec. 4): Adam 2.5e-3, cosine to 0 by epoch, weight decay 5e-6 on the
# 4-d convolution weights and the 2-d linear weight alone, no warm-up, 512 epochs.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='nasbnn_det.BinaryOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=2.5e-3, weight_decay=5e-6, fused=True),
    paramwise_cfg=dict(
        bias_decay_mult=0.0, groups=dict(steps=dict(lr_mult=1.0, decay_mult=0.0), rest=dict(decay_mult=0.0))))
param_scheduler = dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=True, begin=0)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=512, val_interval=512)
val_cfg = dict(type='nasbnn_det.SupernetValLoop', recalibration_batches=10)
