"""Runs a config's training loop: supernet, search, fine-tuning or detector; the arguments are MMDetection's and more."""
import argparse
import os

from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

from nasbnn_det.cli import (
    add_config_options,
    choose_work_dir,
    enable_amp,
    keep_memory,
    read_config,
    run_tool,
    start_processes,
)
from nasbnn_det.engine.start_checks import check_training
from nasbnn_det.evaluation.top_k import check_top_k
from nasbnn_det.models.checkpoint import replacement_checkpoint
from nasbnn_det.models.detector_checks import check_conv_cfg


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='train config file path')
    parser.add_argument('--work-dir', help='the dir to save logs and models')
    parser.add_argument('--amp', action='store_true', help='automatic mixed precision: float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument('--auto-scale-lr', action='store_true', help='enable automatically scaling LR')
    parser.add_argument(
        '--resume',
        nargs='?',
        type=str,
        const='auto',
        help='resume from this checkpoint, or without a path from the latest in the work directory')
    parser.add_argument('--data-root', help='folder of the data, in place of the data_root of all data sets of the config')
    add_config_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def load_config(args: argparse.Namespace) -> Config:
    """Reads the config and applies the command line to it."""
    cfg = read_config(args.config, args.cfg_options, args.data_root)
    cfg.launcher = args.launcher
    choose_work_dir(cfg, args.work_dir)
    if args.amp:
        enable_amp(cfg)
    if args.auto_scale_lr:
        if not {'enable', 'base_batch_size'} <= set(cfg.get('auto_scale_lr', {})):
            raise ValueError('--auto-scale-lr needs auto_scale_lr=dict(enable=..., base_batch_size=...) in the config')
        cfg.auto_scale_lr.enable = True
    if args.resume == 'auto':
        cfg.resume, cfg.load_from = True, replacement_checkpoint(cfg.work_dir)
    elif args.resume is not None:
        cfg.resume, cfg.load_from = True, args.resume
    return cfg


def main() -> None:
    args = parse_args()
    keep_memory()
    cfg = load_config(args)
    start_processes(cfg)
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    check_conv_cfg(cfg.get('model', {}))
    check_top_k(cfg)
    runner = Runner.from_cfg(cfg)
    check_training(runner)
    runner.train()


if __name__ == '__main__':
    run_tool(main)
