# The same on 64 px images of 100 classes.
_base_ = './nasbnn-scratch_1xb64-12e_imagefolder-32.py'

from nasbnn_det.datasets.pipelines import classification_pipelines

train_pipeline, test_pipeline = classification_pipelines(64)
model = dict(head=dict(num_classes=100), data_preprocessor=dict(num_classes=100))
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
