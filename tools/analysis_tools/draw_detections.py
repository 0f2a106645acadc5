"""Draws ground truth beside a detector's predictions on the first test images of a config."""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, init_default_scope

from nasbnn_det.apis import check_checkpoint
from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.files import replace_text, replacing
from nasbnn_det.runtime.preprocess import read_image
from nasbnn_det.visualization.detections import comparison_sheet, draw_boxes

TILE = 256


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='detector config file path')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, help='PNG file to write')
    parser.add_argument('--num', type=int, default=12, help='number of images')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score drawn')
    add_config_options(parser)
    return parser.parse_args()


def picture(image: np.ndarray, instances, names, scale: float, with_scores: bool) -> np.ndarray:
    """The enlarged image with boxes."""
    size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    boxes = instances.bboxes
    boxes = (boxes.tensor if hasattr(boxes, 'tensor') else boxes).cpu().numpy() * scale
    scores = instances.scores.tolist() if with_scores else ()
    return draw_boxes(image, boxes, instances.labels.tolist(), names, scores)


def pair(sample, names, score_thr: float):
    """Truth and prediction of a data sample, drawn. Both are in pixels of the image file: annotations are loaded behind the
    resizing, and predictions are scaled back."""
    image = read_image(sample.img_path)
    scale = TILE / max(image.shape[:2])
    found = sample.pred_instances[sample.pred_instances.scores >= score_thr]
    return picture(image, sample.gt_instances, names, scale, False), picture(image, found, names, scale, True)


def write_result(out: Path) -> None:
    """Says to a pipeline what was made. A ``result.json`` of another tool stays as it is."""
    path = out.with_name('result.json')
    result = dict(metrics={}, files=[f'{out.resolve().parent.name}/{out.name}'])
    try:
        is_ours = not path.exists() or set(json.loads(path.read_text(encoding='utf-8'))) == set(result)
    except (ValueError, TypeError):
        is_ours = False
    if is_ours:
        replace_text(path, json.dumps(result))


def main() -> None:
    args = parse_args()
    out = Path(args.out)
    if out.suffix.lower() not in ('.png', '.jpg', '.jpeg'):
        raise ValueError(f"--out '{out}' is no picture; its name must end in .png or .jpg")
    if args.num < 1:
        raise ValueError(f'--num is {args.num}; at least one image is wanted')
    cfg = read_config(args.config, args.cfg_options)
    # No runner: one keeps its logs and a copy of the config beside the picture, over whatever is there.
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    if 'backbone' in cfg.model:
        cfg.model.backbone.init_cfg = None  # the checkpoint brings all weights
    model = MODELS.build(cfg.model)
    model.load_state_dict(check_checkpoint(model, args.checkpoint)[0])
    model = model.to(get_device()).eval()
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    if not len(dataset):
        raise ValueError('the test data set has no image to draw')
    pairs = []
    for i in range(min(args.num, len(dataset))):
        data = dataset[i]
        with torch.no_grad():
            sample = model.test_step(dict(inputs=[data['inputs']], data_samples=[data['data_samples']]))[0]
        pairs.append(pair(sample, dataset.metainfo['classes'], args.score_thr))
    _, content = cv2.imencode(out.suffix, comparison_sheet(pairs, tile=TILE))
    with replacing(out) as part:
        part.write_bytes(content.tobytes())
    write_result(out)
    print(f'written: {args.out}')


if __name__ == '__main__':
    run_tool(main)
