# COCO 2017 as Faster R-CNN is usually trained on it: 1333 x 800, aspect ratio kept.
_base_ = 'mmdet::_base_/datasets/coco_detection.py'

dataset_type = 'nasbnn_det.CheckedCocoDataset'
train_dataloader = dict(dataset=dict(type=dataset_type))
val_dataloader = dict(dataset=dict(type=dataset_type))
test_dataloader = val_dataloader
# The metric takes its annotations from the data set.
val_evaluator = dict(type='nasbnn_det.FastCocoMetric', ann_file=None)
test_evaluator = val_evaluator
