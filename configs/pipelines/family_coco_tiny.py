# Whether binary detectors learn real photographs: RTMDet, its full-precision twin and Faster R-CNN on the same backbone,
# trained and evaluated on the training images of a small COCO-format set in DATA_ROOT, same schedule. The binary ones
# begin with what the twin has learned.
_base_ = []  # tells MMEngine that the import below is meant to run

from nasbnn_det.pipeline.stages import comparison, detector_data, operations, pictures, pretrained, train

data_root = 'data/coco_tiny'
binary = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny-wide_1xb4-60e_coco-tiny-train-320.py'
twin = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny-wide-fp_1xb4-60e_coco-tiny-train-320.py'
faster_rcnn = 'configs/detection/faster_rcnn/faster-rcnn_nasbnn-tiny_fpn_1xb4-60e_coco-tiny-train-320.py'
start = '{start}/start.pth'
starts = dict(
    twin={},
    binary=dict(load_from=start),
    faster_rcnn={**pretrained(start), 'model.backbone.init_cfg.prefix': 'backbone.'})

stages = []
for name, config in dict(twin=twin, binary=binary, faster_rcnn=faster_rcnn).items():
    stages += [
        train(name, config, detector_data(), starts[name]),
        operations(config, 320, name=f'{name}_operations'),
        pictures(config, detector_data(), of=name, name=f'{name}_pictures'),
    ]
stages.insert(3, dict(
    name='start',
    tool='tools/model_converters/start_from_twin.py',
    args=[binary, '{twin.checkpoint}', '--out', '{stage_dir}/start.pth']))
stages.append(comparison(('binary', 'binary'), ('twin', 'twin'), ('faster_rcnn', 'faster_rcnn')))
