"""Prints what the model in a config costs for one image: operations, parameters by precision, packed size."""
import argparse
import json

from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.costs.report import build_model, format_report, input_size, report_model
from nasbnn_det.files import replace_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file path')
    parser.add_argument(
        '--shape',
        type=int,
        nargs='+',
        help="input height and width in pixels, or one number for both; by default the size of the config's test "
        'images')
    add_config_options(parser)
    parser.add_argument('--json', action='store_true', help='print one JSON object')
    parser.add_argument('--out', help='also write the JSON object to this file')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    if args.shape and len(args.shape) > 2:
        raise ValueError(f'--shape has {len(args.shape)} numbers; give height and width, or one number for both')
    if args.shape and min(args.shape) < 1:
        raise ValueError(f'--shape is {args.shape}; sizes in pixels are at least 1')
    size = (args.shape[0], args.shape[-1]) if args.shape else input_size(cfg)
    report = report_model(build_model(cfg), size)
    if args.out:
        replace_text(args.out, json.dumps(report, indent=1))
    print(json.dumps(report) if args.json else format_report(report))


if __name__ == '__main__':
    run_tool(main)
