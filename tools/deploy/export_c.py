"""Writes a packed network as C99 for microcontrollers, and checks it bit by bit; the last line of the report is JSON."""
import argparse
import json

from nasbnn_det.cli import run_tool
from nasbnn_det.deploy.c99 import TARGETS, check_program, export_c


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', help='packed file of a classifier or detector that stands by itself')
    parser.add_argument('out', help='folder for NAME.c, NAME.h and main.c')
    parser.add_argument('--name', default='network', help='of the files, and what names in them begin with')
    parser.add_argument('--shape', type=int, nargs='+', help="the input's height and width, by default the file's")
    parser.add_argument('--image', help='what main.c runs, by default a made image')
    parser.add_argument('--check', nargs='*', choices=list(TARGETS), metavar='TARGET',
                        help=f'compiles the code and runs main.c for any of {", ".join(TARGETS)}; by default for those '
                        'whose compiler and emulator are there, without a target for none')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.shape and (len(args.shape) > 2 or min(args.shape) < 1):
        raise ValueError(f'--shape is {args.shape}; allowed are one or two numbers of at least 1')
    report = export_c(args.file, args.out, args.name, args.shape and (args.shape[0], args.shape[-1]), args.image)
    print(f'written: {", ".join(report["files"])}')
    report['checks'] = {}
    for target in TARGETS if args.check is None else args.check:
        missing = TARGETS[target].missing()
        if args.check is None and missing:
            print(f'{target}: not checked, {" and ".join(missing)} not found')
            continue
        result = report['checks'][target] = check_program(args.out, args.name, target)
        print(f'{target}: {"the same bits" if result["passed"] else result["output"].strip()}')
    print(json.dumps(report))
    failed = [target for target, result in report['checks'].items() if not result['passed']]
    if failed:
        raise ValueError(f'the C code disagrees with the packed runtime on {" and ".join(failed)}')


if __name__ == '__main__':
    run_tool(main)
