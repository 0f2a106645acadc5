"""Which images of a data set are looked at, and loaders that decode them: the same in every process, once each."""
from functools import partial
from itertools import islice
from typing import List, Sequence

import torch
from mmengine.dataset import worker_init_fn
from torch.utils.data import DataLoader, RandomSampler

#: Images that a worker decodes at a time. The batches of a recalibration are ten times larger, and every worker keeps two.
_CHUNK = 256


def draw_batches(length: int, batch_size: int, batches: int, seed: int) -> List[List[int]]:
    """Draws batches of images as a shuffled loader does, pass after pass.

    Args:
        length (int): Images of the data set.
        batch_size (int): Images a batch.
        batches (int): How many are drawn.
        seed (int): Of the order.

    Returns:
        list[list[int]]: Indices; all batches have the same length, ``batch_size`` or the whole data set where that is
        smaller. (Batch norm would give a small last batch the weight of a full one.)
    """
    generator = torch.Generator().manual_seed(seed)
    numbers = range(length)
    loader = DataLoader(
        numbers, batch_size, sampler=RandomSampler(numbers, generator=generator), drop_last=length >= batch_size,
        collate_fn=list, generator=generator)
    drawn: List[List[int]] = []
    while len(drawn) < batches:
        drawn.extend(islice(loader, batches - len(drawn)))
    return drawn


def decoding_loader(dataloader: DataLoader, indices: Sequence[int], seed: int = 0) -> DataLoader:
    """A loader of some images of a data set, in a given order, that no process shares with others.

    A distributed run's own loader gives each process a part and repeats images to make the parts equal.

    Args:
        dataloader (DataLoader): Its data set, collation and number of workers are taken.
        indices (Sequence[int]): The images; one that stands there twice is loaded twice.
        seed (int): Of the workers' random augmentation. Without workers that draws from the process's own generators; a
            search's pipelines should have none. Defaults to 0.
    """
    size, workers = min(dataloader.batch_size, _CHUNK), dataloader.num_workers
    chunks = [list(indices[i:i + size]) for i in range(0, len(indices), size)]
    init = partial(worker_init_fn, num_workers=workers, rank=0, seed=seed) if workers else None
    return DataLoader(
        dataloader.dataset, batch_sampler=chunks, num_workers=workers, collate_fn=dataloader.collate_fn,
        worker_init_fn=init, generator=torch.Generator().manual_seed(seed))
