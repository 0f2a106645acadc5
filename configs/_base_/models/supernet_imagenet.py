model = dict(type='nasbnn_det.SupernetClassifier', space='imagenet', num_random=2, label_smoothing=0.1, seed=0)
model_wrapper_cfg = dict(type='nasbnn_det.SupernetDistributedDataParallel')
