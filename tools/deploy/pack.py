"""Packs a trained model: 1-bit weights, one file that runs by itself."""
import argparse
import json
import statistics
from functools import partial
from pathlib import Path
from typing import Callable, Dict

from mmengine.config import Config
from mmengine.registry import DATASETS

from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.costs.report import build_model
from nasbnn_det.deploy.packing import pack_checkpoint
from nasbnn_det.files import replace_text, result_file
from nasbnn_det.runtime import PackedDetector
from nasbnn_det.runtime.file import load_packed, save_packed
from nasbnn_det.runtime.preprocess import read_image
from nasbnn_det.runtime.timing import in_turn

_ROUNDS = 5


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file path')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('out', help='file to write, such as detector.safetensors')
    parser.add_argument('--time', type=int, metavar='N',
                        help="run the packed detector on the config's first N test images, on one thread, and write its "
                        'milliseconds for an image and its size into result.json beside the file')
    add_config_options(parser)
    return parser.parse_args()


def milliseconds(cfg: Config, file: str, num: int) -> float:
    """The median over test images of each one's median time, from pixels to boxes."""
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    if not len(dataset):
        raise ValueError('the test data set has no image to time the detector on')
    detector = PackedDetector(file, threads=1)
    runs: Dict[str, Callable[[], object]] = {
        str(i): partial(detector, read_image(dataset.get_data_info(i)['img_path'])) for i in range(min(num, len(dataset)))}
    return 1e3 * statistics.median(in_turn(runs, _ROUNDS).values())


def main() -> None:
    args = parse_args()
    if not args.out.endswith('.safetensors'):
        raise ValueError(f"'{args.out}' is no name for a packed file; it must end in .safetensors")
    if args.time is not None and args.time < 1:
        raise ValueError(f'--time is {args.time}; at least one image is wanted')
    result = result_file(Path(args.out).parent) if args.time else None
    cfg = read_config(args.config, args.cfg_options)
    packed = pack_checkpoint(cfg, args.checkpoint)
    if args.time and (packed.info['needs_config'] or 'max_per_img' not in packed.info['network']):
        reason = packed.info['needs_config'] or 'it is no detector'
        raise ValueError(f'the packed network can not be timed by itself ({reason}); leave --time out')
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
    if result:
        taken = milliseconds(cfg, args.out, args.time)
        print(f'{taken:.2f} ms an image on one thread of this machine')
        replace_text(result, json.dumps(dict(
            metrics=dict(megabytes=round(size / 1e6, 4), milliseconds=round(taken, 3), threads=1),
            files=[f'{Path(args.out).resolve().parent.name}/{Path(args.out).name}'])))


if __name__ == '__main__':
    run_tool(main)
