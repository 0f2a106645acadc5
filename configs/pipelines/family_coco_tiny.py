# Whether binary detectors learn real photographs: the headline detector, its full-precision twin and Faster R-CNN on
# the same backbone, trained and evaluated on the training images of a small COCO-format set in DATA_ROOT, same schedule.
# The binary ones begin with what the twin has learned.
data_root = 'data/coco_tiny'

_binary = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny-wide_1xb4-60e_coco-tiny-train-320.py'
_twin = 'configs/detection/rtmdet/rtmdet_nasbnn-tiny-wide-fp_1xb4-60e_coco-tiny-train-320.py'
_faster_rcnn = 'configs/detection/faster_rcnn/faster-rcnn_nasbnn-tiny_fpn_1xb4-60e_coco-tiny-train-320.py'
_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
    'test_dataloader.dataset.data_root': '{data_root}',
    'val_evaluator.ann_file': '{data_root}/annotations/instances_train.json',
    'test_evaluator.ann_file': '{data_root}/annotations/instances_train.json',
}
_start = '{start}/start.pth'
_start_of_backbone = {
    'model.backbone.init_cfg.type': 'Pretrained',
    'model.backbone.init_cfg.checkpoint': _start,
    'model.backbone.init_cfg.prefix': 'backbone.',
}


def _train(name, config, options):
    return [
        dict(
            name=name,
            tool='tools/train.py',
            args=[config, '--work-dir', '{stage_dir}'],
            cfg_options={**_data, **options},
            resume=True),
        dict(
            name=f'{name}_operations',
            tool='tools/analysis_tools/get_ops.py',
            args=[config, '--shape', '320', '320', '--out', '{stage_dir}/result.json']),
        dict(
            name=f'{name}_pictures',
            tool='tools/analysis_tools/draw_detections.py',
            args=[config, '{' + name + '.checkpoint}', '--out', '{stage_dir}/detections.png'],
            cfg_options=_data),
    ]


stages = [
    *_train('twin', _twin, {}),
    dict(
        name='start',
        tool='tools/model_converters/start_from_twin.py',
        args=[_binary, '{twin.checkpoint}', '--out', '{stage_dir}/start.pth']),
    *_train('binary', _binary, dict(load_from=_start)),
    *_train('faster_rcnn', _faster_rcnn, _start_of_backbone),
    dict(
        name='comparison',
        tool='tools/analysis_tools/compare_runs.py',
        args=['binary={binary}', 'twin={twin}', 'faster_rcnn={faster_rcnn}', '--work-dir', '{stage_dir}']),
]
