# Whether binary detectors learn real photographs: the headline detector, its full-precision twin and Faster R-CNN on
# the same backbone, trained and evaluated on the training images of a small COCO-format set in DATA_ROOT, same schedule.
data_root = 'data/coco_tiny'

_configs = dict(
    binary='configs/detection/rtmdet/rtmdet_nasbnn-tiny-wide_1xb4-60e_coco-tiny-train-320px.py',
    twin='configs/detection/rtmdet/rtmdet_nasbnn-tiny-wide-fp_1xb4-60e_coco-tiny-train-320px.py',
    faster_rcnn='configs/detection/faster_rcnn/faster_rcnn_nasbnn-tiny_1xb4-60e_coco-tiny-train-320px.py')
_data = {
    'train_dataloader.dataset.data_root': '{data_root}',
    'val_dataloader.dataset.data_root': '{data_root}',
    'test_dataloader.dataset.data_root': '{data_root}',
    'val_evaluator.ann_file': '{data_root}/annotations/instances_train.json',
    'test_evaluator.ann_file': '{data_root}/annotations/instances_train.json',
}

stages = []
for _name, _config in _configs.items():
    stages += [
        dict(
            name=_name,
            tool='tools/train.py',
            args=[_config, '--work-dir', '{stage_dir}'],
            cfg_options=_data,
            resume=True),
        dict(
            name=f'{_name}_operations',
            tool='tools/analysis_tools/get_ops.py',
            args=[_config, '--shape', '320', '320', '--out', '{stage_dir}/result.json']),
        dict(
            name=f'{_name}_pictures',
            tool='tools/analysis_tools/draw_detections.py',
            args=[_config, '{' + _name + '.checkpoint}', '--out', '{stage_dir}/detections.png'],
            cfg_options=_data),
    ]
stages.append(
    dict(
        name='comparison',
        tool='tools/analysis_tools/compare_runs.py',
        args=[f'{_name}={{{_name}}}' for _name in _configs] + ['--work-dir', '{stage_dir}']))
