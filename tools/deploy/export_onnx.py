"""Writes the network of a config and its checkpoint as an ONNX file of standard operators, checked in onnxruntime, or as a
QONNX file for compilers of FPGAs, checked by qonnx."""
import argparse
from typing import Any, Dict, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from nasbnn_det.apis import check_checkpoint
from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.costs.report import input_size
from nasbnn_det.deploy.classes import classes_of_model
from nasbnn_det.deploy.onnx_detector import export_detector
from nasbnn_det.deploy.onnx_export import OnnxCheck, export_onnx
from nasbnn_det.deploy.preprocessing import read_preprocessing
from nasbnn_det.deploy.qonnx_export import export_qonnx


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file of a single-stage detector or a classifier')
    parser.add_argument('checkpoint', help='its checkpoint file')
    parser.add_argument('out', help='the .onnx file to write')
    parser.add_argument('--shape', type=int, nargs='+',
                        help="height and width in pixels that are traced, by default those of the config's test images; the "
                        'file takes any')
    form = parser.add_mutually_exclusive_group()
    form.add_argument('--detections', action='store_true',
                      help="a detector's file ends in boxes, labels and scores instead of its head's maps")
    form.add_argument('--qonnx', action='store_true',
                      help='signs and 8-bit weights stay nodes, BipolarQuant and Quant; one image of the given size')
    add_config_options(parser)
    return parser.parse_args()


def load_model(cfg: Config, checkpoint: str) -> Tuple[nn.Module, Dict[str, Any]]:
    """The model with its weights, and the checkpoint's meta."""
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    # The checkpoint brings all weights: what they were initialised from need not be there any more.
    if 'backbone' in cfg.model:
        cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    weights, meta = check_checkpoint(model, checkpoint)
    model.load_state_dict(weights)
    return model, meta


def describe_input(cfg: Config, model: nn.Module) -> Tuple[Dict[str, Any], Optional[str]]:
    """What images must be before they enter, in the words of a packed file; without resizing and padding, and why, where it
    has no words for the config's own way."""
    try:
        return read_preprocessing(cfg, model), None
    except (ValueError, RuntimeError) as error:
        reason = str(error)
    preprocessor = model.data_preprocessor
    found: Dict[str, Any] = dict(to_rgb=bool(getattr(preprocessor, '_channel_conversion', False)))
    for name in ('mean', 'std'):
        value = getattr(preprocessor, name, None)
        if isinstance(value, torch.Tensor):
            found[name] = value.flatten().tolist()
    return found, reason


def other_shape(height: int, width: int) -> Tuple[int, int]:
    """A second size to check at: about half, and odd."""
    return height // 2 | 1, width // 2 + 16 | 1


def main() -> None:
    args = parse_args()
    if not args.out.endswith('.onnx'):
        raise ValueError(f"'{args.out}' is no ONNX file; its name must end in .onnx")
    cfg = read_config(args.config, args.cfg_options)
    shape = args.shape or input_size(cfg)
    height, width = shape[0], shape[-1]
    if len(shape) > 2 or min(height, width) < 32:
        raise ValueError(f'--shape is {shape}; allowed are one or two numbers of at least 32')
    model, trained = load_model(cfg, args.checkpoint)
    preprocessing, reason = describe_input(cfg, model)
    meta = dict(classes=classes_of_model(trained, cfg, args.checkpoint), preprocessing=preprocessing)
    shapes = [(1, 3, height, width), (2, 3, *other_shape(height, width))]
    if args.qonnx:
        check = export_qonnx(model, args.out, (height, width), meta)
        print(f'{check.agreeing} of {len(check.differences)} images within 1e-4, the largest relative difference '
              f'{max(check.differences):.2g}')
    elif args.detections:
        for found in export_detector(model, args.out, shapes, meta):
            print(f"{_text(found.maps)}; decoding: {found.agreeing} of {found.boxes} boxes are MMDetection's")
    else:
        for maps in export_onnx(model, args.out, shapes, meta):
            print(_text(maps))
    free = f'for one image of {height} x {width} pixels' if args.qonnx else 'the image size and the batch size are free'
    print(f'{args.out} written, {free}')
    if reason:
        print(f'its metadata does not say how images are resized and padded: {reason}')


def _text(check: OnnxCheck) -> str:
    return f'{check.shape}: largest relative difference {check.largest:.2g}, median {check.median:.2g}'


if __name__ == '__main__':
    run_tool(main)
