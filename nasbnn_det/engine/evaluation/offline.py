"""A search's evaluator without the search: for tools that score subnets one by one."""
from mmengine.config import Config
from mmengine.runner import Runner

from ...evaluation.top_k import check_top_k
from ..start_checks import check_labels
from .from_runner import runner_subnet_evaluator
from .subnet_evaluator import SubnetEvaluator


def build_subnet_evaluator(cfg: Config, work_dir: str, batches: int = 10, packed: bool = False) -> SubnetEvaluator:
    """Builds what a supernet's or search's config scores subnets with: its data, preprocessing and metrics.

    Args:
        cfg (Config): The config.
        work_dir (str): Folder of the log.
        batches (int): Training batches for recalibration. Defaults to 10.
        packed (bool): Subnets run on the packed kernels. Defaults to False.
    """
    check_top_k(cfg)
    cfg.work_dir = work_dir
    # Only the loaders and the evaluator are wanted; a search loop would look for its own supernet.
    cfg.train_cfg = dict(by_epoch=True, max_epochs=1)
    cfg.val_cfg = dict()
    if 'pipeline' in cfg.val_dataloader.dataset:
        # Recalibration sees what the network will see: no augmentation.
        cfg.train_dataloader.dataset.pipeline = cfg.val_dataloader.dataset.pipeline
    runner = Runner.from_cfg(cfg)
    loop = runner.val_loop
    check_labels(cfg.model, runner.train_dataloader.dataset, loop.dataloader.dataset)
    return runner_subnet_evaluator(runner, runner.train_dataloader, batches, loop.dataloader, loop.evaluator,
                                   packed=packed)
