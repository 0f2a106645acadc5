# Any folder of 32 px images by class: DATA_ROOT/train/<class>/*.jpg and DATA_ROOT/val/<class>/*.jpg.
_base_ = './imagefolder_cls.py'

from nasbnn_det.datasets.pipelines import classification_pipelines

train_pipeline, test_pipeline = classification_pipelines(32)
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
