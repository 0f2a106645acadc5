"""The evaluator that a runner's data, preprocessing and settings describe."""
import copy
from pathlib import Path
from typing import Any, Optional

from mmengine.config import ConfigDict
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from torch.utils.data import DataLoader

from ...checked import build_checked
from ...supernet import InferenceSubnet, PackedInferenceSubnet
from .stored_images import ImageCache
from .subnet_evaluator import SubnetEvaluator


def runner_subnet_evaluator(runner: Any,
                            train_dataloader: DataLoader,
                            recalibration_batches: int,
                            val_dataloader: DataLoader,
                            evaluator: Evaluator,
                            seed: int = 0,
                            packed: bool = False,
                            image_cache: Optional[dict] = None) -> SubnetEvaluator:
    """Builds a :class:`SubnetEvaluator`, whose arguments these are, with the preprocessing of a runner's model.

    Args:
        packed (bool): Subnets run on the packed kernels, on the CPU whatever other device there is. Defaults to False.
        image_cache (dict, optional): Arguments of :class:`ImageCache`; its folder is ``images`` in the work directory
            unless it says otherwise. Defaults to None.
    """
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    preprocessor = model.data_preprocessor
    if packed:
        preprocessor = copy.deepcopy(preprocessor).cpu()
    cache = build_checked(ImageCache, dict(dict(folder=Path(runner.work_dir) / 'images'), **(image_cache or {})),
                          'image_cache')
    return SubnetEvaluator(preprocessor, train_dataloader, recalibration_batches, val_dataloader, evaluator, seed,
                           PackedInferenceSubnet if packed else InferenceSubnet, cache, image_facts(runner.cfg))


def image_facts(cfg: ConfigDict) -> list:
    """What a config says about the images of training and validation: data sets and pipelines."""
    loaders = [cfg.get(name) for name in ('train_dataloader', 'val_dataloader')]
    return [loader.get('dataset') if isinstance(loader, dict) else None for loader in loaders]
