# With a moving average of the weights, for long trainings: latent binary weights near zero change their sign from step
# to step, and the average is what validation uses and checkpoints hold.
_base_ = './default_runtime_det.py'

custom_hooks = [
    dict(type='nasbnn_det.CheckDetectorHook'),
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002, update_buffers=True, priority=49),
]
