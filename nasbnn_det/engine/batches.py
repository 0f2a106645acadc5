"""Whether a training has anything to do."""
from collections.abc import Sized

from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, Runner


def check_batches(runner: Runner) -> None:
    """Looks at the training's batches, before a schedule of no steps ends in an obscure error.

    Args:
        runner (Runner): Of a training that has not begun; its training loop is built here.

    Raises:
        ValueError: If the training set has no batch, as it is smaller than one and ``drop_last`` is set.
    """
    loop = runner.train_loop
    if not isinstance(loop, (EpochBasedTrainLoop, IterBasedTrainLoop)):
        return
    loader = loop.dataloader
    if isinstance(loader.dataset, Sized) and not len(loader):
        raise ValueError(f'the training set has {len(loader.dataset)} images, which are less than a batch of '
                         f'{loader.batch_size or "the wanted size"}, and train_dataloader.drop_last=True leaves nothing of '
                         'them: set drop_last=False, or a smaller batch_size')
