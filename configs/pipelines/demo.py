# From nothing to a detector's mAP in minutes on two CPU cores: `make demo`. Each stage is a process of its own.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import (
                                        data,
                                        detector_data,
                                        evaluation,
                                        found,
                                        made_shapes,
                                        operations,
                                        packing,
                                        pictures,
                                        pretrained,
                                        search_stages,
                                        train,
                                        unvalidated,
)

data_root = 'data/shapes'
supernet = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
search = 'configs/search/nasbnn-search-tiny_shapes-48.py'
detector = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny_1xb16-8e_shapes-128.py'

stages = [
    made_shapes(),
    *search_stages(supernet, search, 48, data()),
    train('detector', detector, detector_data(), found(), pretrained('{extract}/subnet.pth'), unvalidated()),
    operations(detector, 128, found()),
    evaluation(detector, detector_data(), found()),
    pictures(detector, detector_data(), found()),
    *packing(detector, detector_data(), found()),
]
