_base_ = './coco_320.py'

from nasbnn_det.datasets.pipelines import detection_pipelines

train_pipeline, test_pipeline = detection_pipelines((416, 416), crop=True)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
