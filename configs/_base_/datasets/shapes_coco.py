# ShapesCOCO at 128 px: `python tools/dataset_converters/shapes_coco.py --out data/shapes` writes it.
_base_ = './coco_format.py'

from nasbnn_det.datasets.pipelines import detection_pipelines

shapes = dict(type='nasbnn_det.ShapesCocoDataset', data_root='data/shapes/')
train_pipeline, test_pipeline = detection_pipelines((128, 128), pad=False, loader='nasbnn_det.LoadImage')
train_dataloader = dict(dataset=dict(pipeline=train_pipeline, **shapes))
val_dataloader = dict(batch_size=32, dataset=dict(pipeline=test_pipeline, **shapes))
test_dataloader = val_dataloader
