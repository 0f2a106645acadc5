"""Looks at a detector and its data before the first step."""
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop, Runner

from ...models.checks import check_binarized, check_classes, check_levels
from ...registry import HOOKS


@HOOKS.register_module()
class CheckDetectorHook(Hook):
    """Refuses a detector whose parts do not fit each other or the data, in one sentence, before time is spent.

    Checked are the classes of every head against those of the data sets, the levels of the backbone against the neck's
    and the neck's against the head's, and that what a ``conv_cfg`` wants binary is.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner: Runner) -> None:
        """Runs all checks.

        Raises:
            ValueError: If one fails.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not hasattr(model, 'backbone'):
            return
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            if isinstance(loop, BaseLoop):
                check_classes(model, loop.dataloader.dataset.metainfo.get('classes', ()))
        check_levels(model)
        check_binarized(model, runner.cfg.get('model', {}))
