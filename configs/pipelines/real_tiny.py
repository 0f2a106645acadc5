# The same chain on photographs: DATA_ROOT/cls_tiny holds images by class, DATA_ROOT/coco_tiny a COCO-format set.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import (
                                        data,
                                        detector_data,
                                        evaluation,
                                        found,
                                        operations,
                                        pictures,
                                        pretrained,
                                        search_stages,
                                        train,
)

data_root = 'data'
supernet = 'configs/supernet/nasbnn-supernet-tiny_1xb32-4e_imagefolder-48.py'
search = 'configs/search/nasbnn-search-tiny_imagefolder-48.py'
detector = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb4-60e_coco-tiny-320.py'
photographs = detector_data('{data_root}/coco_tiny')
on_train = {
    'test_dataloader.dataset.ann_file': 'annotations/instances_train.json',
    'test_dataloader.dataset.data_prefix.img': 'train/',
}

stages = [
    *search_stages(supernet, search, 48, data('{data_root}/cls_tiny')),
    train('detector', detector, photographs, found(), pretrained('{extract}/subnet.pth')),
    operations(detector, 320, found()),
    evaluation(detector, photographs, found(), on_train, name='evaluation_on_train'),
    evaluation(detector, photographs, found()),
    pictures(detector, photographs, found()),
]
