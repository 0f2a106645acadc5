# RTMDet on ShapesCOCO with a found and fine-tuned backbone, its full-precision twin under the same schedule, and the
# detector distilled from that twin.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import (
                                        comparison,
                                        data,
                                        detector_data,
                                        finetune,
                                        found,
                                        made_shapes,
                                        operations,
                                        pictures,
                                        pretrained,
                                        search_stages,
                                        train,
)

data_root = 'data/shapes'
supernet = 'configs/supernet/nasbnn-supernet-tiny_1xb32-3e_shapes-48.py'
search = 'configs/search/nasbnn-search-tiny_shapes-48.py'
tuning = 'configs/finetune/nasbnn-tiny_1xb64-12e_shapes-48.py'
folder = 'configs/detection/rtmdet/'
twin = 'rtmdet_nasbnn-tiny-fp_1xb16-24e_shapes-128.py'
binary = folder + 'rtmdet_nasbnn-tiny_1xb16-24e_shapes-128.py'
distilled = folder + 'rtmdet_nasbnn-tiny-distilled_1xb16-24e_shapes-128.py'
start = pretrained('{finetune.checkpoint}')
# The twin's own settings, as its training has written them down: the found architecture is among them.
teacher = {'model.teacher_config': '{twin}/' + twin, 'model.teacher_ckpt': '{twin.checkpoint}'}

stages = [
    made_shapes(),
    *search_stages(supernet, search, 48, data()),
    finetune(tuning, detector_data()),
    train('binary', binary, detector_data(), found(), start),
    train('twin', folder + twin, detector_data(), found()),
    train('distilled', distilled, detector_data(), found(), start, teacher),
    operations(binary, 128, found()),
    pictures(binary, detector_data(), found(), of='distilled'),
    comparison(('binary', 'binary'), ('twin', 'twin'), ('distilled', 'distilled')),
]
