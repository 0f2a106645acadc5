"""Looks in seconds whether a training can begin, and says what it will take: nothing is trained and nothing is written.

Data, classes, model and checkpoint are compared with each other as tools/train.py does it before its first step. Then a
few steps are timed on the first images.
"""
import argparse
import resource
import tempfile

from mmengine.registry import init_default_scope
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner

from nasbnn_det.apis import check_checkpoint
from nasbnn_det.cli import add_config_options, keep_memory, read_config, run_tool
from nasbnn_det.engine.hooks import CheckDetectorHook
from nasbnn_det.engine.start_checks import check_training
from nasbnn_det.engine.step_time import measure_step
from nasbnn_det.evaluation.top_k import check_top_k
from nasbnn_det.models.detector_checks import check_conv_cfg


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='train config file path')
    parser.add_argument('checkpoint', nargs='?', help='checkpoint that must hold exactly this model')
    parser.add_argument('--data-root', help='folder of the data, in place of the data_root of all data sets of the config')
    parser.add_argument('--no-timing', action='store_true', help='leave the steps out')
    add_config_options(parser)
    return parser.parse_args()


def describe_data(loader) -> str:
    """Images, objects and classes of a loader's data set."""
    dataset = loader.dataset
    words = f'{len(dataset)} images'
    boxes = [len(info['instances']) for info in map(dataset.get_data_info, range(len(dataset))) if 'instances' in info]
    if boxes:
        words += f', {sum(boxes)} objects, {boxes.count(0)} images without any'
    classes = dataset.metainfo.get('classes') or ()
    names = ', '.join(classes[:8]) + (', ...' if len(classes) > 8 else '')
    return f'{words}, {len(classes)} classes ({names})' if classes else words


def main() -> None:
    args = parse_args()
    keep_memory()
    cfg = read_config(args.config, args.cfg_options, args.data_root)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    check_conv_cfg(cfg.get('model', {}))
    check_top_k(cfg)
    with tempfile.TemporaryDirectory() as folder:  # a runner keeps its log and a copy of the config
        cfg.work_dir, cfg.log_level, cfg.launcher = folder, 'ERROR', 'none'
        runner = Runner.from_cfg(cfg)
        check_training(runner)
        for hook in runner.hooks:
            if isinstance(hook, CheckDetectorHook):
                hook.before_run(runner)
                hook.before_train(runner)
    print(f'training: {describe_data(runner.train_loop.dataloader)}')
    if runner.val_loop is not None:
        print(f'validation: {describe_data(runner.val_loop.dataloader)}')
    parameters = sum(p.numel() for p in runner.model.parameters())
    print(f'model: {type(runner.model).__name__}, {parameters / 1e6:.2f}M parameters')
    if args.checkpoint:
        check_checkpoint(runner.model, args.checkpoint)
        print(f'checkpoint: {args.checkpoint} holds exactly this model')
    if not args.no_timing and isinstance(runner.train_loop, (EpochBasedTrainLoop, IterBasedTrainLoop)):
        seconds = measure_step(cfg)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        steps = runner.max_iters
        print(f'steps: {steps} at {seconds:.2f} s, about {steps * seconds / 3600:.1f} hours without validation; '
              f'{peak:.1f} GB of memory so far, a training needs some more for its optimiser')


if __name__ == '__main__':
    run_tool(main)
