# For minutes instead of GPU-months. Ours, and measured in docs/results.md: a lower rate, because the teacher's real weights
# do not bear 2.5e-3 in a few hundred steps; a much lower one for the classifier, whose logits run away at first, and for
# the stem's quantisation steps, which are some thousandths and turn negative at the full rate.
_base_ = './supernet_adam.py'

optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(custom_keys={
        '.step': dict(decay_mult=0.0, lr_mult=0.01),
        'fc.weight': dict(lr_mult=0.1),
        'fc.bias': dict(lr_mult=0.1, decay_mult=0.0),
    }))
param_scheduler = dict(convert_to_iter_based=True)
