# The published recipe on any folder of 64 px images by class; set model.num_classes and the data_root of both loaders.
_base_ = [
    '../_base_/models/supernet.py',
    '../_base_/datasets/imagefolder_cls.py',
    '../_base_/schedules/supernet_adam.py',
    '../_base_/default_runtime_cls.py',
]

from nasbnn_det.datasets.pipelines import classification_pipelines

model = dict(space='tiny', num_classes=10, data_preprocessor=_base_.data_preprocessor)
train_pipeline, test_pipeline = classification_pipelines(64)
train_dataloader = dict(batch_size=512, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=50, val_interval=50)
