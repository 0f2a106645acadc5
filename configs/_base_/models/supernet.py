# A child names the search space, the number of classes and the data preprocessor.
model = dict(type='nasbnn_det.SupernetClassifier', num_random=2, label_smoothing=0.1, seed=0)
model_wrapper_cfg = dict(type='nasbnn_det.SupernetDistributedDataParallel')
