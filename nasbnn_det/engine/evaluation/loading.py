"""Data loaders that give every process the same images, all of them, once each."""
from functools import partial
from typing import Optional

import torch
from mmengine.dataset import worker_init_fn
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler


def whole_dataloader(dataloader: DataLoader, shuffle_seed: Optional[int] = None) -> DataLoader:
    """A loader of the same data set that no process shares with others.

    A distributed run's own loader gives each process a part and repeats images to make the parts equal; a candidate of
    a search is evaluated by one process, on all images.

    Args:
        dataloader (DataLoader): Its data set, batch size, collation and number of workers are taken.
        shuffle_seed (int, optional): Order of the images, and seed of the workers' random augmentation; a last batch
            that is not full is then left out. In the data set's order, all of them, if not given.

    Returns:
        DataLoader: The same images in the same order in every process, however many there are. Without workers, random
        augmentation draws from the process's own generators; a search's pipelines should have none.
    """
    generator = torch.Generator().manual_seed(shuffle_seed or 0)
    dataset = dataloader.dataset
    sampler = SequentialSampler(dataset) if shuffle_seed is None else RandomSampler(dataset, generator=generator)
    workers = dataloader.num_workers
    init = partial(worker_init_fn, num_workers=workers, rank=0, seed=shuffle_seed or 0) if workers else None
    # Batch norm would give a small last batch the weight of a full one.
    drop_last = shuffle_seed is not None and len(dataset) >= dataloader.batch_size
    return DataLoader(
        dataset, batch_size=dataloader.batch_size, sampler=sampler, num_workers=workers, drop_last=drop_last,
        collate_fn=dataloader.collate_fn, worker_init_fn=init, generator=generator)
