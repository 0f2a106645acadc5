"""Makes published weights of a found classifier: NAME.safetensors in a few bytes, its entry in catalog.json, its card.

The figures of the card are those of the file that was written, on the config's test images.
"""
import argparse
from pathlib import Path

from mmengine.runner import Runner

from nasbnn_det.apis.publish import publish, read_subnet
from nasbnn_det.cli import SHAPE_HELP, add_config_options, choose_shape, read_config, run_tool
from nasbnn_det.costs import count_ops
from nasbnn_det.pretrained import Entry, two_bit


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config of the classifier: its test images and metrics are used')
    parser.add_argument('checkpoint', help='checkpoint of a fine-tuning, or of extract_subnet.py')
    parser.add_argument('--name', required=True, help='name of the model, in small letters')
    parser.add_argument('--folder', required=True, help='where the files go; those of the package are in '
                        'nasbnn_det/pretrained/models')
    parser.add_argument('--shape', type=int, nargs=2, required=True, help=SHAPE_HELP)
    parser.add_argument('--title', required=True, help='what it is, in a sentence')
    parser.add_argument('--data', required=True, help='what it was trained on')
    parser.add_argument('--licence', required=True, help='terms of that data')
    parser.add_argument('--terms', default='', help='what follows from them for the weights, in a sentence')
    parser.add_argument('--recipe', required=True, help='how it was made')
    parser.add_argument('--work-dir', default='work_dirs/publish', help='folder of the log')
    add_config_options(parser)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if not args.name or not all(c.isascii() and (c.islower() or c.isdigit() or c in '-_.') for c in args.name):
        raise ValueError(f"--name is '{args.name}'; allowed are small letters, digits, '-', '_' and '.'")
    cfg = read_config(args.config, args.cfg_options)
    net = read_subnet(args.checkpoint)
    shape = choose_shape(args.shape)
    file = Path(args.folder) / f'{args.name}.safetensors'
    two_bit.write(file, net, net.arch.to_json())

    pretrained = dict(type='Pretrained', checkpoint=str(file))
    cfg.model.backbone.update(arch=str(file), init_cfg=pretrained, out_indices=(len(net.arch.stages) - 1, ))
    cfg.model.head.update(num_classes=net.fc.out_features, init_cfg=pretrained)
    cfg.work_dir = args.work_dir
    runner = Runner.from_cfg(cfg)
    runner.model.init_weights()
    metrics = {key: float(value) for key, value in runner.test().items()}
    entry = Entry(name=args.name, sha256='', bytes=0, ops_m=count_ops(net.arch, shape, net.fc.out_features).ops / 1e6,
                  input_size=shape[0], data=args.data, num_classes=net.fc.out_features, metrics=metrics, recipe=args.recipe)
    publish(file, entry, args.title, args.licence, terms=args.terms)
    print(f'{file}: {file.stat().st_size} bytes, ' + ', '.join(f'{key} {value:.6g}' for key, value in metrics.items()))


if __name__ == '__main__':
    run_tool(main)
