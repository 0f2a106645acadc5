# Deployment B (arXiv 2408.15484): 25 epochs, Adam 1e-5, cosine, no weight decay, plain cross-entropy, 512 images a step.
optim_wrapper = dict(
    type='OptimWrapper',
    constructor='nasbnn_det.BinaryOptimWrapperConstructor',
    optimizer=dict(type='Adam', lr=1e-5, weight_decay=0.0, fused=True))
param_scheduler = dict(type='CosineAnnealingLR', eta_min=0.0, by_epoch=True, begin=0)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=25, val_interval=1)
val_cfg = dict()
