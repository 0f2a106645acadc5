"""Trains a small binary detector on your own COCO-format set: writes its config, says how long it takes, trains, evaluates.

DATA is a folder with annotations/instances_train.json and instances_val.json and their images in train/ and val/, or one
with train/_annotations.coco.json and valid/_annotations.coco.json. Other formats: tools/dataset_converters. Classes are
read from the files. The config stays in OUT.py, the run in OUT/; stopped, it goes on by
tools/train.py OUT.py --work-dir OUT --resume.
"""
import argparse
from pathlib import Path

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from nasbnn_det.apis.own_set import choose_schedule, config_text
from nasbnn_det.cli import keep_memory, run_tool, shipped_config
from nasbnn_det.datasets.own_set import find_own_set
from nasbnn_det.engine.step_time import measure_step
from nasbnn_det.files import replace_text

_BASE = 'detection/rtmdet/rtmdet_nasbnn-small_1xb8-30e_own-320.py'


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', help='folder of the set')
    parser.add_argument('--out', help='where config (OUT.py) and run (OUT/) go; work_dirs/NAME-OF-THE-FOLDER if not given')
    parser.add_argument('--size', type=int, default=320, help='images are fitted into a square of so many pixels')
    parser.add_argument('--minutes', type=float, default=25, help='time for the training itself, from which epochs follow')
    parser.add_argument('--epochs', type=int, help='epochs, whatever time they take')
    parser.add_argument('--batch', type=int, default=8, help='images of a step')
    parser.add_argument('--train', help='annotation file to train on, from DATA, if it is not found')
    parser.add_argument('--val', help='annotation file to evaluate on, from DATA, if it is not found')
    parser.add_argument('--base', help='config of a detector on a COCO-format set, in place of the small one')
    parser.add_argument('--dry-run', action='store_true', help='write the config and say how long it takes, no more')
    args = parser.parse_args()
    for name in ('size', 'minutes', 'epochs', 'batch'):
        value = getattr(args, name)
        if value is not None and value <= 0:
            parser.error(f'--{name} is {value:g}; it must be positive')
    return args


def main() -> None:
    args = parse_args()
    own = find_own_set(args.data, args.train, args.val)
    print(f'{args.data}: {own.train.num_images} images with {own.train.num_boxes} objects to train on, {own.val.num_images} '
          f'with {own.val.num_boxes} to evaluate on; {len(own.classes)} classes: {", ".join(own.classes)}', flush=True)
    out = Path(args.out or Path('work_dirs') / Path(args.data).resolve().name)
    file = out.with_name(out.name + '.py')
    base = str(Path(args.base).resolve() if args.base else shipped_config(_BASE))
    if file.exists() or out.exists():
        raise ValueError(f"'{file if file.exists() else out}' is there already; go on with it by tools/train.py {file} "
                         f'--work-dir {out} --resume, or name another place by --out')
    batch = min(args.batch, own.train.num_images)
    keep_memory()
    first = choose_schedule(own.train.num_images, batch, epochs=1)
    replace_text(file, config_text(own, base, args.size, batch, first))
    try:
        seconds = measure_step(Config.fromfile(file))
        schedule = choose_schedule(own.train.num_images, batch, args.epochs, args.minutes, seconds)
    except BaseException:
        file.unlink()
        raise
    replace_text(file, config_text(own, base, args.size, batch, schedule))
    whole = schedule.epochs * schedule.steps * seconds / 60
    first_map = whole * schedule.val_interval / schedule.epochs
    print(f'{schedule.epochs} epochs of {schedule.steps} steps at {seconds:.2f} s: about {whole:.0f} minutes on this '
          f'machine, a first mAP after {first_map:.0f}; config: {file}, run: {out}', flush=True)
    if args.dry_run:
        return
    cfg = Config.fromfile(file)
    cfg.work_dir = str(out)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    Runner.from_cfg(cfg).train()
    print(f'done: {out}; pictures: tools/analysis_tools/draw_detections.py, a small file for any CPU: tools/deploy/pack.py')


if __name__ == '__main__':
    run_tool(main)
