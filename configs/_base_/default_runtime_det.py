_base_ = 'mmdet::_base_/default_runtime.py'

custom_imports = dict(imports=['nasbnn_det'], allow_failed_imports=False)
default_hooks = dict(logger=dict(interval=20), checkpoint=dict(interval=1, max_keep_ckpts=2))
log_processor = dict(window_size=20)
custom_hooks = [dict(type='nasbnn_det.CheckDetectorHook')]
randomness = dict(seed=0)
