"""Packs a trained model: 1-bit weights, one file that runs by itself."""
import argparse
from pathlib import Path

from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.costs.report import build_model
from nasbnn_det.deploy.packing import pack_checkpoint
from nasbnn_det.runtime.file import load_packed, save_packed


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file path')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', help='file to write, such as detector.safetensors')
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not args.out.endswith('.safetensors'):
        raise ValueError(f"'{args.out}' is no name for a packed file; it must end in .safetensors")
    cfg = read_config(args.config, args.cfg_options)
    packed = pack_checkpoint(cfg, args.checkpoint)
    save_packed(args.out, packed)
    load_packed(args.out)
    # By where they lie: levels of a head share their convolutions, under a key each.
    sizes = {value.data_ptr(): value.numel() for value in build_model(cfg).state_dict().values()}
    floats = 4 * sum(sizes.values())
    size = Path(args.out).stat().st_size
    print(f'written: {args.out}, {size / 1e6:.3f} MB; the weights as float32: {floats / 1e6:.3f} MB, '
          f'{floats / size:.1f} times as large')
    if packed.info['needs_config']:
        print(f"it does not stand by itself ({packed.info['needs_config']}); it runs by its config: "
              f'tools/test.py {args.config} {args.out}')


if __name__ == '__main__':
    run_tool(main)
