"""Draws ground truth beside a detector's predictions on the first test images of a config."""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from nasbnn_det.apis import check_checkpoint
from nasbnn_det.cli import run_tool
from nasbnn_det.visualization.detections import comparison_sheet, draw_boxes

TILE = 256


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='detector config file path')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', required=True, help='PNG file to write')
    parser.add_argument('--num', type=int, default=12, help='number of images')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score drawn')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='override settings of the config')
    return parser.parse_args()


def picture(image: np.ndarray, instances, names, scale: float, with_scores: bool) -> np.ndarray:
    """The enlarged image with boxes."""
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    boxes = instances.bboxes
    boxes = (boxes.tensor if hasattr(boxes, 'tensor') else boxes).cpu().numpy() * scale
    scores = instances.scores.tolist() if with_scores else ()
    return draw_boxes(image, boxes, instances.labels.tolist(), names, scores)


def pair(sample, names, score_thr: float):
    """Truth and prediction of a data sample, drawn. Both are in pixels of the image file: annotations are loaded behind the
    resizing, and predictions are scaled back."""
    image = cv2.imread(sample.img_path)
    scale = TILE / max(image.shape[:2])
    found = sample.pred_instances[sample.pred_instances.scores >= score_thr]
    return picture(image, sample.gt_instances, names, scale, False), picture(image, found, names, scale, True)


def main() -> None:
    args = parse_args()
    cfg = Config.fromfile(args.config)
    cfg.merge_from_dict(args.cfg_options or {})
    cfg.work_dir = str(Path(args.out).resolve().parent)
    cfg.model.backbone.init_cfg = None
    cfg.load_from = args.checkpoint
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    runner = Runner.from_cfg(cfg)
    check_checkpoint(runner.model, args.checkpoint)
    runner.load_or_resume()
    model = runner.model.eval()
    dataset = runner.test_dataloader.dataset
    pairs = []
    for i in range(min(args.num, len(dataset))):
        data = dataset[i]
        with torch.no_grad():
            sample = model.test_step(dict(inputs=[data['inputs']], data_samples=[data['data_samples']]))[0]
        pairs.append(pair(sample, dataset.metainfo['classes'], args.score_thr))
    cv2.imwrite(args.out, comparison_sheet(pairs, tile=TILE))
    result = dict(metrics={}, files=[f'{Path(args.out).resolve().parent.name}/{Path(args.out).name}'])
    Path(args.out).with_name('result.json').write_text(json.dumps(result), encoding='utf-8')
    print(f'written: {args.out}')


if __name__ == '__main__':
    run_tool(main)
