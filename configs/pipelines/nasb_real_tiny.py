# NASB's chain on photographs: DATA_ROOT/cls_tiny holds images by class, DATA_ROOT/coco_tiny a COCO-format set. The
# three stages on the former, a report of the found cells, then a detector on them on the latter.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import (
                                        data,
                                        detector_data,
                                        evaluation,
                                        found_cells,
                                        nasb_finetune,
                                        nasb_stages,
                                        operations,
                                        pictures,
                                        pretrained,
                                        train,
)

data_root = 'data'
pretrain = 'configs/nasb/nasb-pretrain-r18-tiny_1xb64-2e_imagefolder-32.py'
search = 'configs/nasb/nasb-search-r18-tiny_1xb64-6e_imagefolder-32.py'
finetune = 'configs/nasb/nasb-finetune-r18-tiny_1xb64-10e_imagefolder-32.py'
detector = 'configs/nasb/rtmdet_nasb-r18-tiny_1xb4-60e_coco-tiny-320.py'
images, photographs = data('{data_root}/cls_tiny'), detector_data('{data_root}/coco_tiny')
on_train = {
    'test_dataloader.dataset.ann_file': 'annotations/instances_train.json',
    'test_dataloader.dataset.data_prefix.img': 'train/',
}

stages = [
    *nasb_stages(pretrain, search, detector, 320, images),
    nasb_finetune(finetune, images),
    train('detector', detector, photographs, found_cells(), pretrained('{finetune.checkpoint}')),
    operations(detector, 320, found_cells()),
    evaluation(detector, photographs, found_cells(), on_train, name='evaluation_on_train'),
    evaluation(detector, photographs, found_cells()),
    pictures(detector, photographs, found_cells()),
]
