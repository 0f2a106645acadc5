"""Writes a start for a binary network, from the checkpoint of its full-precision twin.

Train the binary network from it by tools/train.py CONFIG --cfg-options load_from=OUT.
"""
import argparse

import torch

from nasbnn_det.apis import start_from_twin
from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.costs.report import build_model
from nasbnn_det.files import replacing
from nasbnn_det.supernet import file_sha256


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the binary network')
    parser.add_argument('checkpoint', help='checkpoint of its full-precision twin')
    parser.add_argument('--out', required=True, help='checkpoint to write')
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    cfg = read_config(args.config, args.cfg_options)
    state, meta = start_from_twin(build_model(cfg), args.checkpoint)
    with replacing(args.out) as part:
        torch.save(dict(state_dict=state, meta=dict(meta, twin_sha256=file_sha256(args.checkpoint))), part)
    print(f'{len(state)} tensors of {cfg.model.type}, written: {args.out}')


if __name__ == '__main__':
    run_tool(main)
