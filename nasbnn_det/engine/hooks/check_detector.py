"""Looks at a detector, its data and its evaluator before the first step."""
from typing import Any, Iterator, Optional

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from ...datasets.class_names import check_same_places, class_names
from ...models.detector_checks import check_binarized, check_classes, check_levels
from ...registry import HOOKS


@HOOKS.register_module()
class CheckDetectorHook(Hook):
    """Refuses a detector whose parts do not fit each other or the data, in one sentence, before time is spent.

    Checked are the classes of every head against those of the data sets, the levels of the backbone against the neck's
    and the neck's against the head's, and that what a ``conv_cfg`` wants binary is; labels of training against those of
    validation. A :class:`FastCocoMetric` without an ``ann_file`` gets the annotations of the data set it evaluates; the
    images of its own file are compared with the data set's.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Checks the model.

        Raises:
            ValueError: If its parts do not fit.
        """
        model = _detector(runner)
        if model is not None:
            check_levels(model)
            check_binarized(model, runner.cfg.get('model', {}))

    def before_train(self, runner: Runner) -> None:
        """Checks the data for training and validation.

        Raises:
            ValueError: If they do not fit the model or each other.
        """
        _check_data(runner, runner.train_loop)
        _check_data(runner, runner.val_loop)
        if runner.val_loop is not None:
            names = [class_names(loop.dataloader.dataset.metainfo) for loop in (runner.train_loop, runner.val_loop)]
            check_same_places(*names, 'the training set', 'the validation set')

    def before_val(self, runner: Runner) -> None:
        """Checks the data for a validation without training; after :meth:`before_train` nothing is left to do."""
        _check_data(runner, runner.val_loop)

    def before_test(self, runner: Runner) -> None:
        """Checks the data for a test.

        Raises:
            ValueError: If they do not fit the model.
        """
        _check_data(runner, runner.test_loop)


def _detector(runner: Runner) -> Optional[Any]:
    """The model without its wrappers (distribution, test-time augmentation); None if it is no detector."""
    model = runner.model
    while is_model_wrapper(model) or (not hasattr(model, 'backbone') and hasattr(model, 'module')):
        model = model.module
    return model if hasattr(model, 'backbone') else None


def _check_data(runner: Runner, loop: Optional[BaseLoop]) -> None:
    model = _detector(runner)
    if model is None or loop is None:
        return
    dataset = loop.dataloader.dataset
    check_classes(model, dataset.metainfo.get('classes', ()))
    annotations = getattr(dataset, 'annotations', None)
    # Of FastCocoMetric, which is imported where MMDetection is.
    metrics = [metric for metric in _metrics(loop) if annotations is not None and hasattr(metric, 'use_annotations')]
    ids = [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] if metrics else []
    for metric in metrics:
        if metric.has_annotations:
            metric.check_data(annotations, ids)
        else:
            metric.use_annotations(annotations, ids)


def _metrics(loop: BaseLoop) -> Iterator[Any]:
    yield from getattr(getattr(loop, 'evaluator', None), 'metrics', ())
