# The whole method on photographs: DATA_ROOT/cls holds images of 64 px by class, DATA_ROOT/det a COCO-format set. The search
# sees a part of the training images that the supernet has not seen; set model.num_classes where there are not 100.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import (
                                        data,
                                        detector_data,
                                        evaluation,
                                        finetune,
                                        found,
                                        held_out,
                                        operations,
                                        packing,
                                        pictures,
                                        pretrained,
                                        search_stages,
                                        train,
)

data_root = 'data'
supernet = 'configs/supernet/nasbnn-supernet-small_1xb128-14e_imagefolder-64.py'
search = 'configs/search/nasbnn-search-small_imagefolder-64.py'
tuning = 'configs/finetune/nasbnn-small_1xb128-8e_imagefolder-64.py'
detector = 'configs/detection/rtmdet/rtmdet_nasbnn-small_1xb8-30e_own-320.py'
images, photographs = '{data_root}/cls', detector_data('{data_root}/det')
lists, to_search = held_out(images + '/train', 25)
seen = {**data(images), **to_search, 'model.num_classes': 100}

stages = [
    lists,
    *search_stages(supernet, search, 64, seen),
    finetune(tuning, detector_data(images)),
    train('detector', detector, photographs, found(), pretrained('{finetune.checkpoint}')),
    operations(detector, 320, found()),
    evaluation(detector, photographs, found()),
    pictures(detector, photographs, found()),
    *packing(detector, photographs, found()),
]
