"""Prints the operations of the model in a config: per part and in total, for one image."""
import argparse
import json
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import MODELS, init_default_scope

from nasbnn_det.analysis.ops import by_part, count_model_ops, total
from nasbnn_det.apis import run_tool
from nasbnn_det.arch import Ops


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file path')
    parser.add_argument('--shape', type=int, nargs='+', default=[320, 320], help='input height and width in pixels')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings of the config')
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--out', help='also write the JSON object to this file')
    return parser.parse_args()


def as_dict(ops: Ops) -> dict:
    return dict(flops=ops.flops, int8_ops=ops.int8_macs, bops=ops.bops, ops=ops.ops, binary_share=ops.binary_share)


def main() -> None:
    args = parse_args()
    height, width = args.shape if len(args.shape) == 2 else (args.shape[0], args.shape[0])
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model = MODELS.build(cfg.model)
    rows = count_model_ops(model, (height, width))
    everything = total(rows)
    result = dict(
        input_size=[height, width],
        **as_dict(everything),
        parts={name: as_dict(ops) for name, ops in by_part(rows).items()},
        modules=[dict(name=row.name, kind=row.kind, **as_dict(row.ops)) for row in rows],
        not_counted='batch norm, activations, shortcuts, pooling, interpolation, decoding, NMS')
    if args.out:
        Path(args.out).write_text(json.dumps(result, indent=1), encoding='utf-8')
    if args.json:
        print(json.dumps(result))
        return
    print(f"{'part':24}{'FLOPs (M)':>12}{'8-bit (M)':>12}{'BOPs (M)':>12}{'OPs (M)':>12}")
    for name, ops in (*by_part(rows).items(), (f'total at {height} x {width}', everything)):
        print(f'{name:24}{ops.flops / 1e6:12.2f}{ops.int8_macs / 1e6:12.2f}{ops.bops / 1e6:12.1f}{ops.ops / 1e6:12.2f}')
    print(f'binary multiply-accumulates: {100 * everything.binary_share:.1f} % of all')
    print(f"not counted: {result['not_counted']}")


if __name__ == '__main__':
    run_tool(main)
