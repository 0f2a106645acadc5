"""Extracts an architecture from a trained supernet, recalibrates its batch norms and evaluates it: deployment A.

Beside the checkpoint it writes arch.json, the architecture alone.
"""
import argparse
import json
from pathlib import Path

from nasbnn_det.arch import load_arch
from nasbnn_det.cli import SHAPE_HELP, add_config_options, choose_shape, file_info, read_config, run_tool
from nasbnn_det.costs import count_ops
from nasbnn_det.engine.evaluation.offline import build_subnet_evaluator
from nasbnn_det.files import replace_text, result_file
from nasbnn_det.supernet import extract_subnet, file_sha256, load_supernet, save_subnet


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='search config: its data loaders and evaluator are used')
    parser.add_argument('supernet', help='checkpoint of the supernet')
    parser.add_argument('--arch', required=True, help='architecture file, front file, or front.json#57')
    parser.add_argument('--out', required=True, help='checkpoint to write')
    parser.add_argument('--shape', type=int, nargs=2, help=SHAPE_HELP)
    parser.add_argument('--batches', type=int, default=10, help='training batches for recalibration')
    parser.add_argument('--work-dir', default='work_dirs/extract', help='folder of the log and of result.json')
    add_config_options(parser)
    return parser.parse_args()


def _arch_file(out: Path) -> Path:
    """Where the architecture goes; refuses a file there that this tool did not write."""
    if out.is_dir():
        raise ValueError(f"--out '{out}' is a folder; name a checkpoint to write")
    path = out.with_name('arch.json')
    try:
        ours = not path.exists() or path.read_text(encoding='utf-8') == load_arch(path).to_json() + '\n'
    except ValueError:
        ours = False
    if not ours:
        raise ValueError(f"'{path}' is there already, of another make, and this tool would replace it; choose another "
                         'folder for --out')
    return path


def main() -> None:
    args = parse_args()
    arch = load_arch(args.arch)
    result_path, arch_path = result_file(args.work_dir), _arch_file(Path(args.out))
    supernet = load_supernet(args.supernet)
    subnet = extract_subnet(supernet, arch)
    evaluate = build_subnet_evaluator(read_config(args.config, args.cfg_options), args.work_dir, args.batches)
    shape = choose_shape(args.shape, file_info(args.arch), dict(input_size=evaluate.image_size))
    metrics = {key: float(value) for key, value in evaluate(subnet).items()}
    ops = count_ops(arch, shape, supernet.num_classes)
    save_subnet(args.out, subnet, metrics=metrics, ops=ops.ops, input_size=list(shape),
                supernet_sha256=file_sha256(args.supernet))
    replace_text(arch_path, arch.to_json() + '\n')
    result = dict(metrics=metrics, ops=dict(ops_m=ops.ops / 1e6, flops_m=ops.flops / 1e6, bops_m=ops.bops / 1e6))
    replace_text(result_path, json.dumps(result, indent=1))
    print(f'{arch}\n{ops.ops / 1e6:.2f}M OPs at {shape[0]} x {shape[1]}, '
          + ', '.join(f'{k} {v:.6g}' for k, v in metrics.items()) + f'\nwritten: {args.out}')


if __name__ == '__main__':
    run_tool(main)
