"""Stages that pipeline configs have in common: each function returns what :class:`Stage` takes, or options for it.

``{data_root}``, ``{stage_dir}`` and the names of earlier stages are filled in when a stage is run.
"""
from typing import Any, Dict, List, Tuple

_Options = Dict[str, Any]
_Row = Dict[str, Any]


def data(folder: str = '{data_root}', splits: Tuple[str, ...] = ('train', 'val')) -> _Options:
    """Options that set the place of a data set; ``splits`` are the loaders that the config has."""
    return {f'{split}_dataloader.dataset.data_root': folder for split in splits}


def detector_data(folder: str = '{data_root}') -> _Options:
    """As :func:`data`, for a detector's three loaders. Its metric follows the data set."""
    return data(folder, ('train', 'val', 'test'))


def found() -> _Options:
    """Options that give a detector or a classifier the architecture that :func:`search_stages` found."""
    return {'model.backbone.arch': '{extract}/arch.json'}


def found_cells() -> _Options:
    """Options that give a network the cells that :func:`nasb_stages` found."""
    return {'model.backbone.cells': '{search}/cells.json'}


def pretrained(checkpoint: str, part: str = 'backbone') -> _Options:
    """Options that start a part of the model from a checkpoint."""
    return {f'model.{part}.init_cfg.type': 'Pretrained', f'model.{part}.init_cfg.checkpoint': checkpoint}


def both_pretrained(checkpoint: str) -> _Options:
    """Options that start backbone and head of a classifier from one checkpoint; the config says their types."""
    return {f'model.{part}.init_cfg.checkpoint': checkpoint for part in ('backbone', 'head')}


def unvalidated() -> _Options:
    """Options for a training that is evaluated by a stage of its own."""
    return dict(val_dataloader=None, val_cfg=None, val_evaluator=None)


def made_shapes() -> _Row:
    """The stage that makes ShapesCOCO."""
    return dict(name='data', tool='tools/dataset_converters/shapes_coco.py', args=['--out', '{data_root}'])


def held_out(folder: str, per_class: int) -> Tuple[_Row, _Options]:
    """The stage that holds out training images of each class, and the options by which supernet and search follow it."""
    row = dict(name='lists', tool='tools/dataset_converters/hold_out.py',
               args=[folder, '--per-class', str(per_class), '--out', '{stage_dir}'])
    options = {
        'train_dataloader.dataset.ann_file': '{lists}/train.txt',
        'val_dataloader.dataset.ann_file': '{lists}/held_out.txt',
        'val_dataloader.dataset.data_prefix': 'train',
    }
    return row, options


def train(name: str, config: str, *options: _Options) -> _Row:
    """A training or a search; later options win."""
    return _stage(name, 'tools/train.py', [config, '--work-dir', '{stage_dir}'], options, resume=True)


def search_stages(supernet: str, search: str, shape: int, options: _Options) -> List[_Row]:
    """NAS-BNN's stages 2 to 4: 'supernet', 'search' and 'extract', whose best network is within all of the OPs."""
    size = str(shape)
    return [
        train('supernet', supernet, options),
        train('search', search, options, {'train_cfg.supernet': '{supernet.checkpoint}'}),
        _stage('extract', 'tools/model_converters/extract_subnet.py',
               [search, '{supernet.checkpoint}', '--arch', '{search}/front.json', '--out', '{stage_dir}/subnet.pth',
                '--shape', size, size, '--work-dir', '{stage_dir}'], [options]),
    ]


def finetune(config: str, options: _Options) -> _Row:
    """Deployment B of what :func:`search_stages` extracted."""
    return train('finetune', config, options, found(), both_pretrained('{extract}/subnet.pth'))


def nasb_stages(pretrain: str, search: str, report: str, shape: int, options: _Options) -> List[_Row]:
    """NASB's stages 1 and 2, 'pretrain' and 'search', and 'cells', a report on the network of the config ``report``."""
    size = str(shape)
    return [
        train('pretrain', pretrain, options),
        train('search', search, options, both_pretrained('{pretrain.checkpoint}')),
        _stage('cells', 'tools/analysis_tools/nasb_report.py',
               [report, '--shape', size, size, '--history', '{search}/alphas.jsonl', '--work-dir',
                '{stage_dir}'], [found_cells()]),
    ]


def nasb_finetune(config: str, options: _Options) -> _Row:
    """NASB's stage 3."""
    return train('finetune', config, options, found_cells(), both_pretrained('{search.checkpoint}'))


def operations(config: str, shape: int, *options: _Options, name: str = 'operations') -> _Row:
    """Counts a detector."""
    size = str(shape)
    return _stage(name, 'tools/analysis_tools/get_ops.py',
                  [config, '--shape', size, size, '--out', '{stage_dir}/result.json'], options)


def evaluation(config: str, *options: _Options, of: str = 'detector', name: str = 'evaluation') -> _Row:
    """Evaluates the checkpoint of the stage ``of``."""
    return _stage(name, 'tools/test.py', [config, f'{{{of}.checkpoint}}', '--work-dir', '{stage_dir}'], options)


def pictures(config: str, *options: _Options, of: str = 'detector', name: str = 'pictures') -> _Row:
    """Draws detections with the checkpoint of the stage ``of``."""
    return _pictures(config, f'{{{of}.checkpoint}}', name, options)


def packing(config: str, *options: _Options, of: str = 'detector') -> List[_Row]:
    """The checkpoint of the stage ``of`` as a packed file: 'packing' writes and times it, 'packed_pictures' draws by it."""
    file = 'detector.safetensors'
    return [
        _stage('packing', 'tools/deploy/pack.py',
               [config, f'{{{of}.checkpoint}}', f'{{stage_dir}}/{file}', '--time', '20'], options),
        _pictures(config, f'{{packing}}/{file}', 'packed_pictures', options),
    ]


def _pictures(config: str, weights: str, name: str, options: Tuple[_Options, ...]) -> _Row:
    return _stage(name, 'tools/analysis_tools/draw_detections.py', [config, weights, '--out', '{stage_dir}/detections.png'],
                  options)


def comparison(*runs: Tuple[str, str]) -> _Row:
    """Curves of several trainings, each a name and a stage; those of one name are repetitions."""
    return _stage('comparison', 'tools/analysis_tools/compare_runs.py',
                  [*(f'{name}={{{stage}}}' for name, stage in runs), '--work-dir', '{stage_dir}'], [])


def _stage(name: str, tool: str, args: List[str], options: Any, **more: Any) -> _Row:
    merged = {key: value for part in options for key, value in part.items()}
    return dict(name=name, tool=tool, args=args, **(dict(cfg_options=merged) if merged else {}), **more)
