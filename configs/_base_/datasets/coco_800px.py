# COCO 2017 as Faster R-CNN is usually trained on it: 1333 x 800, aspect ratio kept.
_base_ = 'mmdet::_base_/datasets/coco_detection.py'

val_evaluator = dict(type='nasbnn_det.FastCocoMetric')
test_evaluator = val_evaluator
