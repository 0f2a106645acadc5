# A network alone, from random weights, on 64 px images of 100 classes, small images first.
_base_ = './nasbnn-scratch_1xb64-12e_imagefolder-32.py'

from nasbnn_det.datasets.pipelines import classification_pipelines

train_pipeline, test_pipeline = classification_pipelines(64)
model = dict(head=dict(num_classes=100), data_preprocessor=dict(num_classes=100))
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=5, val_interval=5)
custom_hooks = [dict(type='nasbnn_det.GrowingImagesHook', stages=[(0.6, 32), (0.85, 48)])]
