# For minutes instead of GPU-months. Ours, and measured in docs/results.md: a lower rate, because the teacher's real weights
# do not bear 2.5e-3 in a few hundred steps, and a much lower one for the classifier, whose logits run away at first.
_base_ = './supernet_adam.py'

optim_wrapper = dict(
    optimizer=dict(lr=1e-3), paramwise_cfg=dict(groups=dict(class_predictors=dict(lr_mult=0.1))))
param_scheduler = dict(convert_to_iter_based=True)
