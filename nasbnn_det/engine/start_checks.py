"""What is compared once before a training's first step: its images, its classes and the checkpoint it begins from."""
from typing import Any, Mapping, Optional

from mmengine.hooks import CheckpointHook, IterTimerHook
from mmengine.runner import Runner, find_latest_checkpoint
from torch.utils.data import Dataset

from ..datasets.class_names import check_same_places, class_names, classifier_classes
from ..models.checkpoint import check_checkpoint
from ..supernet.checkpoint import load_safely
from .hooks import FiniteLossHook, SteadyTimerHook


def check_training(runner: Runner) -> None:
    """Builds the loops of a training, as its ``train`` does first, and looks whether it can begin.

    It gets a :class:`FiniteLossHook`, a :class:`SteadyTimerHook` in place of MMEngine's timer, and keeps two checkpoints
    where one was wanted: MMEngine deletes the one before it writes the next.

    Args:
        runner (Runner): About to train.

    Raises:
        ValueError: If the images make no batch, labels differ, or the checkpoint can't be read or is to be resumed and of
            another network.
        FileNotFoundError: If that checkpoint does not exist.
    """
    loader = runner.train_loop.dataloader
    if not len(loader):
        size = loader.batch_sampler.batch_size
        raise ValueError(f'the training set has {len(loader.dataset)} images, which are less than a batch of {size}, and '
                         'train_dataloader.drop_last=True leaves nothing of them: set drop_last=False, or a smaller '
                         'batch_size')
    validation = runner.val_loop.dataloader.dataset if runner.val_loop is not None else None
    check_labels(runner.cfg.get('model') or {}, loader.dataset, validation)
    _check_start(runner)
    if not any(isinstance(hook, FiniteLossHook) for hook in runner.hooks):
        runner.register_hook(FiniteLossHook())
    for place, hook in enumerate(runner.hooks):
        if type(hook) is IterTimerHook:
            runner.hooks[place] = SteadyTimerHook()
            runner.hooks[place].priority = hook.priority
        if isinstance(hook, CheckpointHook) and hook.max_keep_ckpts == 1:
            hook.max_keep_ckpts = 2
            runner.logger.info('checkpoint.max_keep_ckpts=1 is taken as 2: the only checkpoint would be deleted before the '
                               'next one is written')


def check_labels(model: Mapping[str, Any], training: Dataset, validation: Optional[Dataset]) -> None:
    """Checks that what is trained and what is validated have the same labels.

    Args:
        model (Mapping): The model's config. The heads of a detector are checked by
            :func:`nasbnn_det.models.detector_checks.check_classes`.
        training (Dataset): Images for training.
        validation (Dataset, optional): Images for validation.

    Raises:
        ValueError: If a class has two labels, or a classifier another number of classes than its images.
    """
    trained, validated = (class_names(getattr(dataset, 'metainfo', None)) for dataset in (training, validation))
    check_same_places(trained, validated, 'the training set', 'the validation set')
    wanted = classifier_classes(model)
    # A validation set may lack the last classes.
    for names, part, fit in ((trained, 'training', len(trained) == wanted),
                             (validated, 'validation', not validated[wanted:])):
        if wanted is not None and names and not fit:
            raise ValueError(f"the model's num_classes is {wanted}, but the {part} images have {len(names)} classes "
                             f'({", ".join(names[:3])}, ...); both must be the same')


def _check_start(runner: Runner) -> None:
    """Looks at the checkpoint that MMEngine would load with a warning at most, whatever keys it has."""
    resume, path = runner.cfg.get('resume'), runner.cfg.get('load_from')
    path = find_latest_checkpoint(runner.work_dir) if resume and path is None else path
    if path is None or '://' in path:
        return
    if resume:
        check_checkpoint(runner.model, path)
    else:
        load_safely(path, 'checkpoint')
