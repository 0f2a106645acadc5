# NASB from nothing to a detector's mAP in minutes: the three stages of the search on crops of ShapesCOCO, a report of
# the found cells, then a detector on them.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import (
                                        data,
                                        detector_data,
                                        evaluation,
                                        found_cells,
                                        made_shapes,
                                        nasb_finetune,
                                        nasb_stages,
                                        operations,
                                        pictures,
                                        pretrained,
                                        train,
                                        unvalidated,
)

data_root = 'data/shapes'
pretrain = 'configs/nasb/nasb-pretrain-r18-tiny_1xb32-2e_shapes-48.py'
search = 'configs/nasb/nasb-search-r18-tiny_1xb32-4e_shapes-48.py'
finetune = 'configs/nasb/nasb-finetune-r18-tiny_1xb32-4e_shapes-48.py'
detector = 'configs/nasb/rtmdet_nasb-r18-tiny_1xb16-9e_shapes-128.py'

stages = [
    made_shapes(),
    *nasb_stages(pretrain, search, detector, 128, data()),
    nasb_finetune(finetune, data()),
    train('detector', detector, detector_data(), found_cells(), pretrained('{finetune.checkpoint}'), unvalidated()),
    operations(detector, 128, found_cells()),
    evaluation(detector, detector_data(), found_cells()),
    pictures(detector, detector_data(), found_cells()),
]
