"""The two parts of the training data: one for the weights, one for the alphas."""
import copy
from functools import partial
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.registry import DATASETS
from mmengine.runner import Runner, set_random_seed
from torch.utils.data import DataLoader


def build_split_loaders(dataloader: Dict[str, Any], alpha_fraction: float, seed: int) -> Tuple[DataLoader, DataLoader]:
    """Splits a training set in two, the same way whenever it is asked.

    Args:
        dataloader (dict): Config of the training data loader. Its data set must be one of MMEngine's kind, with
            ``get_subset``. Workers are started anew each epoch, whatever it says, so that an epoch's augmentations
            depend on its number alone.
        alpha_fraction (float): Share of the images that the alphas get.
        seed (int): Of the split and of the samplers.

    Returns:
        tuple[DataLoader, DataLoader]: For the weights and for the alphas.

    Raises:
        ValueError: If the share is not between 0 and 1, or leaves a part without a full batch.
    """
    if not isinstance(dataloader, dict):
        raise ValueError('NASBSearchLoop splits the training data itself: train_dataloader must be a config, not a '
                         f'{type(dataloader).__name__}')
    if not 0 < alpha_fraction < 1:
        raise ValueError(f'alpha_fraction is {alpha_fraction}; it must lie between 0 and 1, both excluded')
    cfg = copy.deepcopy(dataloader)
    cfg['persistent_workers'] = False
    dataset = DATASETS.build(cfg.pop('dataset'))
    dataset.full_init()
    order = np.random.default_rng(seed).permutation(len(dataset))
    edges = round(len(order) * alpha_fraction)
    parts = [sorted(part.tolist()) for part in (order[edges:], order[:edges])]
    loaders = [Runner.build_dataloader(dict(cfg, dataset=dataset.get_subset(part)), seed=seed) for part in parts]
    for name, part, loader in zip(('weights', 'alphas'), parts, loaders):
        if not len(loader):
            raise ValueError(f'{len(part)} images for the {name} make no batch of {cfg.get("batch_size")}; use smaller '
                             'batches or another alpha_fraction')
    return loaders[0], loaders[1]


def start_epoch(loaders: List[DataLoader], seed: int, epoch: int) -> None:
    """Sets all random numbers of an epoch, here and in the workers, from the seed and its number alone.

    So a resumed search sees the images that one left alone would see.
    """
    draw = int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0] // 2)
    set_random_seed(draw, diff_rank_seed=True)
    for number, loader in enumerate(loaders):
        if hasattr(loader.sampler, 'set_epoch'):
            loader.sampler.set_epoch(epoch)
        loader.worker_init_fn = partial(worker_init_fn, num_workers=loader.num_workers, rank=get_rank(),
                                        seed=draw + 1000 * number)


def cycle(loader: DataLoader) -> Iterator[Any]:
    """Batches of a loader, over and over."""
    while True:
        yield from loader
