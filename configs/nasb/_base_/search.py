# The search, first order. The weights keep one rate, so that no candidate is judged by an annealed network; the edge
# weights have Adam as in DARTS (arXiv 1806.09055), at a higher rate for shorter searches. A child sets max_epochs and
# input_size.
train_cfg = dict(
    type='nasbnn_det.NASBSearchLoop',
    max_epochs=25,
    val_interval=25,
    input_size=(224, 224),
    warmup_epochs=0,
    alpha_fraction=0.5,
    order=1,
    temperature=dict(start=1.0, end=0.1),
    ops_penalty=1.0,
    entropy_penalty=0.0,
    max_overhead=0.1,
    seed=0)
val_cfg = dict()
optim_wrapper = dict(
    constructor='nasbnn_det.NASBOptimWrapperConstructor',
    weights=dict(
        type='OptimWrapper',
        optimizer=dict(type='Adam', lr=1e-3, weight_decay=0.0, fused=True),
        paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1)))),
    alphas=dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=3e-3, betas=(0.5, 0.999), weight_decay=1e-3)))
# In a run of several processes the loop synchronises by itself.
model_wrapper_cfg = dict(type='nasbnn_det.SupernetDistributedDataParallel')
