"""Holds out training images of each class for a search, which must not see the validation images.

Reads ROOT/<class>/<image> and writes train.txt and held_out.txt, lists of "<class>/<image> <label>" as MMPretrain's
CustomDataset takes them as ann_file.
"""
import argparse
from pathlib import Path
from typing import List

import numpy as np

from nasbnn_det.cli import run_tool
from nasbnn_det.datasets.hold_out import hold_out
from nasbnn_det.files import replace_text


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', help='folder with a folder of images per class')
    parser.add_argument('--per-class', type=int, default=50, help='images to hold out of each class')
    parser.add_argument('--out', required=True, help='folder for train.txt and held_out.txt')
    parser.add_argument('--seed', type=int, default=0, help='chooses the images')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    kept, held = hold_out(Path(args.root), args.per_class, np.random.default_rng(args.seed))
    for name, lines in (('train.txt', kept), ('held_out.txt', held)):
        _write(Path(args.out) / name, lines)
    print(f'{len(kept)} images to train on, {len(held)} held out: {args.out}')


def _write(path: Path, lines: List[str]) -> None:
    replace_text(path, ''.join(line + '\n' for line in lines))


if __name__ == '__main__':
    run_tool(main)
