"""What a model costs, as one JSON-ready object: operations, parameters by precision, bytes of its packed weights."""
from typing import Any, Dict, List, Tuple

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from . import Ops
from .module_ops import ModuleOps, by_part, count_model_ops, not_counted, total
from .module_size import ModuleSize, measure_model, total_packed_bytes, total_params
from .params import Params


def build_model(cfg: Config) -> nn.Module:
    """The model of a config, with fresh weights: what it would be initialised from is not read."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    return MODELS.build(cfg.model)


def input_size(cfg: Config) -> Tuple[int, int]:
    """Height and width that a config's test pipeline makes of its images, padding included.

    Of a pipeline that keeps the aspect ratio, the size of a landscape image that fills its scale.

    Raises:
        ValueError: If the pipeline does not say.
    """
    pipeline = cfg.get('test_dataloader', {}).get('dataset', {}).get('pipeline', [])
    sizes = {step['type'].rpartition('.')[2]: step.get('scale', step.get('size', step.get('crop_size')))
             for step in pipeline}
    size = sizes.get('Pad') or sizes.get('Resize') or sizes.get('CenterCrop')
    if size is None:
        raise ValueError("the config's test pipeline does not say to what size images are brought; give it by --shape")
    width, height = (size, size) if isinstance(size, int) else size
    divisor = (cfg.model.get('data_preprocessor') or {}).get('pad_size_divisor', 1)
    return -(-height // divisor) * divisor, -(-width // divisor) * divisor


def report_model(model: nn.Module, input_size: Tuple[int, int]) -> Dict[str, Any]:
    """Counts and measures a model for one RGB image.

    Args:
        model (nn.Module): As for :func:`nasbnn_det.costs.module_ops.count_model_ops`.
        input_size (tuple[int, int]): Height and width in pixels.

    Returns:
        dict: Plain counts ``flops``, ``int8_ops``, ``bops``, ``ops``; ``binary_share``; ``params`` with the keys
        '1bit', '8bit' and '32bit'; ``packed_bytes``; the same per part of the model in ``parts`` and per module in
        ``modules``; ``input_size``; and ``not_counted``, a list.

    Raises:
        ValueError: If the model runs no convolution as a module.
    """
    ops, sizes = count_model_ops(model, input_size), measure_model(model)
    # '' is the model itself, where it is a single layer.
    parts = sorted({row.name.split('.')[0] for row in (*ops, *sizes)},
                   key=['', *(name for name, _ in model.named_children())].index)
    return dict(
        input_size=list(input_size),
        **_costs(total(ops), sizes),
        parts={part: _costs(by_part(ops).get(part, Ops()), [s for s in sizes if s.name.split('.')[0] == part])
               for part in parts},
        modules=_modules(ops, sizes, [name for name, _ in model.named_modules()]),
        not_counted=not_counted(model, ops))


def _costs(ops: Ops, sizes: List[ModuleSize]) -> Dict[str, Any]:
    return dict(flops=ops.flops, int8_ops=ops.int8_macs, bops=ops.bops, ops=ops.ops, binary_share=ops.binary_share,
                params=_params(total_params(sizes)), packed_bytes=total_packed_bytes(sizes))


def _params(params: Params) -> Dict[str, int]:
    return {'1bit': params.bits1, '8bit': params.bits8, '32bit': params.bits32}


def _modules(ops: List[ModuleOps], sizes: List[ModuleSize], order: List[str]) -> List[Dict[str, Any]]:
    """A row per module that computes or stores something."""
    counted = {row.name: row for row in ops}
    measured = {row.name: row for row in sizes}
    rows = []
    for name in (name for name in order if name in counted or name in measured):
        kind = (counted.get(name) or measured[name]).kind
        costs = _costs(counted[name].ops if name in counted else Ops(), [measured[name]] if name in measured else [])
        rows.append(dict(name=name, kind=kind, **costs))
    return rows


def format_report(report: Dict[str, Any]) -> str:
    """The report as a table for people."""
    height, width = report['input_size']
    lines = [f"{'part':24}{'FLOPs (M)':>11}{'8-bit (M)':>11}{'BOPs (M)':>11}{'OPs (M)':>10}"
             f"{'1-bit':>12}{'8-bit':>10}{'32-bit':>11}{'packed kB':>11}"]
    for name, row in (*report['parts'].items(), (f'total at {height} x {width}', report)):
        params = row['params']
        lines.append(
            f"{name:24}{row['flops'] / 1e6:11.2f}{row['int8_ops'] / 1e6:11.2f}{row['bops'] / 1e6:11.1f}"
            f"{row['ops'] / 1e6:10.2f}{params['1bit']:12,}{params['8bit']:10,}{params['32bit']:11,}"
            f"{row['packed_bytes'] / 1e3:11.1f}")
    lines.append(f"binary multiply-accumulates: {100 * report['binary_share']:.1f} % of all")
    lines.append(f"not counted: {', '.join(report['not_counted'])}")
    return '\n'.join(lines)
