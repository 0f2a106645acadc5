"""Draws ground truth beside a detector's predictions on test images of a config, evenly spread over the set.

Instead of a checkpoint it takes a packed file, whose detector then finds by itself, without the config's model, if it can.

Of detections that overlap by more than half the best one is drawn. Without --score-thr those are drawn that are worth
believing: from the score on that gives the best F1 on up to 200 test images.
"""
import argparse
import json
from pathlib import Path
from typing import Any, Callable, Dict

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DATASETS, MODELS, init_default_scope
from mmengine.structures import InstanceData

from nasbnn_det.apis import check_checkpoint
from nasbnn_det.cli import add_config_options, read_config, run_tool
from nasbnn_det.evaluation.threshold import Boxes, find_threshold, without_overlaps
from nasbnn_det.files import replace_text, replacing
from nasbnn_det.runtime import PackedDetector, load_packed
from nasbnn_det.runtime.preprocess import read_image
from nasbnn_det.visualization.detections import comparison_sheet, draw_boxes

TILE = 256
_CALIBRATION = 200


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='detector config file path')
    parser.add_argument('checkpoint', help='checkpoint file, or packed file (*.safetensors)')
    parser.add_argument('--out', required=True, help='PNG file to write')
    parser.add_argument('--num', type=int, default=12, help='number of images')
    parser.add_argument('--score-thr', type=float, help='lowest score drawn; found if not given')
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


def plain(instances) -> Boxes:
    """Instances of a data sample as arrays; those of the truth have no scores."""
    boxes = instances.bboxes
    boxes = (boxes.tensor if hasattr(boxes, 'tensor') else boxes).cpu().numpy()
    scores = instances.scores.cpu().numpy() if 'scores' in instances else np.ones(len(boxes))
    return Boxes(boxes, instances.labels.cpu().numpy(), scores)


def pair(sample, names, score_thr: float):
    """Truth and prediction of a data sample, drawn. Both are in pixels of the image file: annotations are loaded behind the
    resizing, and predictions are scaled back."""
    image = read_image(sample.img_path)
    scale = TILE / max(image.shape[:2])
    found = sample.pred_instances[sample.pred_instances.scores >= score_thr]
    found = found[without_overlaps(plain(found))]
    return picture(image, sample.gt_instances, names, scale, False), picture(image, found, names, scale, True)


def finder(cfg: Config, checkpoint: str) -> Callable[[Dict[str, Any]], Any]:
    """What gives an image's data sample its predictions: the model, or the packed detector alone."""
    packed = load_packed(checkpoint) if checkpoint.endswith('.safetensors') else None
    if packed is not None and packed.info['network'] is not None:
        detector = PackedDetector(checkpoint)

        def find_alone(data: Dict[str, Any]):
            sample = data['data_samples']
            found = map(torch.from_numpy, detector(sample.img_path))
            sample.pred_instances = InstanceData(**dict(zip(('bboxes', 'labels', 'scores'), found)))
            return sample

        return find_alone
    if 'backbone' in cfg.model:
        cfg.model.backbone.init_cfg = None  # the checkpoint brings all weights
    model = MODELS.build(cfg.model)
    if packed is None:
        model.load_state_dict(check_checkpoint(model, checkpoint)[0])
        model.to(get_device())
    else:
        packed.apply_to(model)
    model.eval()

    def find(data: Dict[str, Any]):
        with torch.no_grad():
            return model.test_step(dict(inputs=[data['inputs']], data_samples=[data['data_samples']]))[0]

    return find


def spread(num: int, size: int) -> list:
    """Up to ``num`` indices below ``size``, evenly spread."""
    return np.unique(np.linspace(0, size - 1, min(num, size)).round().astype(int)).tolist()


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
    find = finder(cfg, args.checkpoint)
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    if not len(dataset):
        raise ValueError('the test data set has no image to draw')

    def look(i: int):
        return find(dataset[i])

    score_thr = args.score_thr
    if score_thr is None:
        samples = [look(i) for i in spread(_CALIBRATION, len(dataset))]
        best = find_threshold([plain(s.pred_instances) for s in samples], [plain(s.gt_instances) for s in samples])
        score_thr = best.score
        print(f'drawn from a score of {score_thr:.2f} on: {best.precision:.0%} of such detections are right and '
              f'{best.recall:.0%} of the objects found, on {len(samples)} images')
    pairs = [pair(look(i), dataset.metainfo['classes'], score_thr) for i in spread(args.num, len(dataset))]
    _, content = cv2.imencode(out.suffix, comparison_sheet(pairs, tile=TILE))
    with replacing(out) as part:
        part.write_bytes(content.tobytes())
    write_result(out)
    print(f'written: {args.out}')


if __name__ == '__main__':
    run_tool(main)
