"""Evaluates a checkpoint, or a packed file, with a config's test loop; the arguments are MMDetection's."""
import argparse
import json
import math
import os

from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from nasbnn_det.apis import check_checkpoint
from nasbnn_det.cli import add_config_options, choose_work_dir, read_config, run_tool, start_processes
from nasbnn_det.datasets.class_names import check_same_places, class_names
from nasbnn_det.evaluation.top_k import check_top_k
from nasbnn_det.files import replace_text, result_file
from nasbnn_det.runtime import load_packed


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='test config file path')
    parser.add_argument('checkpoint', help='checkpoint file, or packed file (*.safetensors)')
    parser.add_argument('--work-dir', help='the directory to save the file containing evaluation metrics')
    parser.add_argument('--out', help='dump predictions to a pickle file for offline evaluation')
    parser.add_argument('--show', action='store_true', help='show prediction results')
    parser.add_argument('--show-dir', help='directory where painted images will be saved')
    parser.add_argument('--wait-time', type=float, default=2, help='the interval of show (s)')
    parser.add_argument('--tta', action='store_true', help="test-time augmentation: the config's tta_model and tta_pipeline")
    parser.add_argument('--data-root', help='folder of the data, in place of the data_root of all data sets of the config')
    add_config_options(parser)
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def is_packed(path: str) -> bool:
    return path.endswith('.safetensors')


def load_config(args: argparse.Namespace) -> Config:
    """Reads the config and applies the command line to it."""
    cfg = read_config(args.config, args.cfg_options, args.data_root)
    cfg.launcher = args.launcher
    choose_work_dir(cfg, args.work_dir)
    # Read by main() with safe loading; the runner's own reader depends on the versions of NumPy and torch.
    cfg.load_from = None
    # The checkpoint brings all weights: what they were initialised from need not be there any more.
    if 'backbone' in cfg.model:
        cfg.model.backbone.init_cfg = None
    if args.tta:
        augment(cfg)
    if args.show or args.show_dir:
        hook = cfg.default_hooks.visualization
        hook.update(draw=True, show=args.show, wait_time=args.wait_time, test_out_dir=args.show_dir)
    if args.out:
        if not args.out.endswith(('.pkl', '.pickle')):
            raise ValueError(f"--out '{args.out}' is no pickle file; its name must end in .pkl or .pickle")
        dump = 'DumpDetResults' if cfg.get('default_scope') == 'mmdet' else 'DumpResults'
        evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
        cfg.test_evaluator = [*evaluators, dict(type=dump, out_file_path=args.out)]
    return cfg


def augment(cfg: Config) -> None:
    """Wraps the model and changes the pipeline for test-time augmentation."""
    missing = [key for key in ('tta_model', 'tta_pipeline') if key not in cfg]
    if missing:
        raise ValueError(f'--tta needs {" and ".join(missing)} in the config, such as those of '
                         'mmdet/.mim/configs/rtmdet/rtmdet_tta.py')
    cfg.model = ConfigDict(**cfg.tta_model, module=cfg.model)
    dataset = cfg.test_dataloader.dataset
    while 'pipeline' not in dataset and 'dataset' in dataset:
        dataset = dataset.dataset
    dataset.pipeline = cfg.tta_pipeline


def main() -> None:
    args = parse_args()
    cfg = load_config(args)
    start_processes(cfg)
    check_top_k(cfg)
    result_path = result_file(cfg.work_dir)
    packed = load_packed(args.checkpoint) if is_packed(args.checkpoint) else None
    runner = Runner.from_cfg(cfg)
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    model = model.module if args.tta else model
    if packed is None:
        weights, meta = check_checkpoint(model, args.checkpoint)
        model.load_state_dict(weights)
        classes = class_names(meta.get('dataset_meta'))
    else:
        packed.apply_to(model)
        classes = class_names(packed.info)
    check_same_places(classes, class_names(getattr(runner.test_loop.dataloader.dataset, 'metainfo', None)),
                      args.checkpoint, 'the test set')
    metrics = runner.test()
    # A class without an object has no number, and JSON no word for that.
    result = dict(metrics={key: float(value) for key, value in metrics.items() if not math.isnan(value)})
    if is_main_process():
        replace_text(result_path, json.dumps(result, indent=1))


if __name__ == '__main__':
    run_tool(main)
