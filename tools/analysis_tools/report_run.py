"""Writes a training on one page: settings, data, curves, metrics, classes and pictures of its work directory.

The HTML file needs no other file, no network and no JavaScript. A resumed training is put together.
"""
import argparse
from pathlib import Path

from nasbnn_det.cli import run_tool
from nasbnn_det.files import replace_text
from nasbnn_det.visualization.run_facts import read_facts
from nasbnn_det.visualization.run_report import run_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dir', type=Path, help='work directory of a training')
    parser.add_argument('--out', type=Path, help='HTML file to write; default: WORK_DIR/report.html')
    parser.add_argument('--pictures', type=Path, nargs='+', default=[], metavar='FILE',
                        help='more pictures, as draw_detections.py writes them; those in the folder are taken anyway')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    facts = read_facts(args.work_dir)
    for path in args.pictures:
        if not path.is_file() or path.suffix.lower() not in ('.png', '.jpg', '.jpeg'):
            raise ValueError(f"--pictures '{path}' is no png or jpg file")
    more = [path for path in args.pictures if path.resolve() not in {known.resolve() for known in facts.pictures}]
    out = args.out or args.work_dir / 'report.html'
    if out.suffix.lower() not in ('.html', '.htm'):
        raise ValueError(f"--out '{out}' is no page; its name must end in .html")
    replace_text(out, run_report(facts._replace(pictures=[*more, *facts.pictures])))
    print(f'written: {out}')


if __name__ == '__main__':
    run_tool(main)
