"""Reports the cells of a NASB network: what each costs over the plain binary convolution, and what it looks like.

Prints a table; the folder gets report.json, cells.png and, with the search's history, alphas.png.
"""
import argparse
import json
from pathlib import Path

from mmengine.registry import MODELS, init_default_scope

from nasbnn_det.cli import SHAPE_HELP, add_config_options, choose_shape, read_config, run_tool
from nasbnn_det.files import replace_text, result_file
from nasbnn_det.models.backbones import NASBResNet
from nasbnn_det.nasb import CellSpace
from nasbnn_det.nasb.plots import plot_alphas, plot_cells
from nasbnn_det.nasb.record import read_history
from nasbnn_det.nasb.report import net_costs


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config whose backbone is a NASBResNet: classifier or detector')
    parser.add_argument('--shape', type=int, nargs=2, help=SHAPE_HELP)
    parser.add_argument('--history', help='alphas.jsonl of the search')
    parser.add_argument('--work-dir', default='work_dirs/nasb_report', help='folder to write to')
    add_config_options(parser)
    return parser.parse_args()


def build_backbone(args: argparse.Namespace) -> NASBResNet:
    """The backbone of the config."""
    cfg = read_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    backbone = MODELS.build(dict(cfg.model.backbone, init_cfg=None))
    if not isinstance(backbone, NASBResNet):
        raise ValueError(f'the backbone is a {type(backbone).__name__}; allowed is nasbnn_det.NASBResNet')
    return backbone


def main() -> None:
    args = parse_args()
    backbone, folder = build_backbone(args), Path(args.work_dir)
    result_path = result_file(folder)
    shape = choose_shape(args.shape, backbone.net.info)
    costs = net_costs(backbone.net, backbone.shape, shape, backbone.rules)
    size = f'{shape[0]} x {shape[1]}'
    print(f"{'OPs at ' + size:20}{'OPs (k)':>10}{'plain':>10}{'more':>9}{'bytes':>10}{'plain':>10}{'more':>9}  cell")
    for cost in costs:
        print(f'{cost.name:20}{cost.ops.ops / 1e3:10.1f}{cost.plain_ops.ops / 1e3:10.1f}'
              f'{100 * cost.ops_overhead:+8.1f}%{cost.params.bytes:10.0f}{cost.plain_params.bytes:10.0f}'
              f'{100 * cost.size_overhead:+8.1f}%  {cost.graph}')
    plot_cells(folder / 'cells.png', backbone.net)
    pictures = ['cells.png']
    if args.history:
        rows = read_history(args.history)
        plot_alphas(folder / 'alphas.png', rows, CellSpace(**rows[0]['space']))
        pictures.append('alphas.png')
    total = costs[-1]
    replace_text(folder / 'report.json', json.dumps(
        dict(input_size=list(shape), cells=[cost.to_dict() for cost in costs[:-1]], backbone=total.to_dict()), indent=1))
    result = dict(
        metrics=dict(ops_overhead=total.ops_overhead, size_overhead=total.size_overhead),
        ops=dict(ops_m=total.ops.ops / 1e6, plain_ops_m=total.plain_ops.ops / 1e6),
        files=[f'{folder.resolve().name}/{name}' for name in (*pictures, 'report.json')])
    replace_text(result_path, json.dumps(result, indent=1))


if __name__ == '__main__':
    run_tool(main)
