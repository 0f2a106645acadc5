"""What a training step takes on this machine, before a training begins."""
import time
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from mmengine.registry import DATASETS, MODELS, init_default_scope


def measure_step(cfg: Config, steps: int = 3) -> float:
    """Seconds of a training step on this machine: the median of some, on the first images of the set, learning nothing.

    Args:
        cfg (Config): Config of the training.
        steps (int): Steps to time, after one that is not. Defaults to 3.
    """
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    model: Any = MODELS.build(cfg.model).train()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    batch = [dataset[i % len(dataset)] for i in range(cfg.train_dataloader.batch_size)]
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), 0.0))
    times = []
    for _ in range(steps + 1):
        start = time.perf_counter()
        model.train_step(pseudo_collate(batch), wrapper)
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[steps // 2]
