"""Times FastCocoMetric with both backends on random detections and compares their numbers; prints one JSON line."""
import argparse
import contextlib
import io
import json
import tempfile
import time
from pathlib import Path

from nasbnn_det.cli import run_tool
from nasbnn_det.evaluation.fast_coco_metric import FastCocoMetric
from nasbnn_det.evaluation.synthetic import random_coco


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--images', type=int, default=5000)
    parser.add_argument('--detections', type=int, default=100, help='per image')
    parser.add_argument('--rounds', type=int, default=1, help='the shortest of so many is taken')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    truth, results = random_coco(args.images, args.detections, empty=0)
    seconds, numbers = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'truth.json'
        file.write_text(json.dumps(truth), encoding='utf-8')
        for backend in ('pycocotools', 'faster'):
            times = []
            for _ in range(args.rounds):
                with contextlib.redirect_stdout(io.StringIO()):
                    metric = FastCocoMetric(ann_file=str(file), backend=backend)
                    metric.dataset_meta = dict(classes=[c['name'] for c in truth['categories']])
                    start = time.perf_counter()
                    numbers[backend] = metric.compute_metrics(results)
                times.append(time.perf_counter() - start)
            seconds[backend] = min(times)
    print(json.dumps(dict(
        images=args.images, detections=args.images * args.detections, **{f'{k}_seconds': v for k, v in seconds.items()},
        speedup=seconds['pycocotools'] / seconds['faster'], equal=numbers['pycocotools'] == numbers['faster'],
        metrics=numbers['faster'])))


if __name__ == '__main__':
    run_tool(main)
