"""MMEngine's times of steps, and the time left, from a clock that nobody sets."""
import time
from typing import Any

from mmengine.hooks import IterTimerHook
from mmengine.runner import Runner

from ...registry import HOOKS


@HOOKS.register_module()
class SteadyTimerHook(IterTimerHook):
    """``IterTimerHook`` on a clock that only runs forward.

    MMEngine subtracts times of day: where the system's clock is put back an hour, a step takes minus an hour, and the time
    left is wrong for the rest of the training.
    """

    def _before_epoch(self, runner: Runner, mode: str = 'train') -> None:
        super()._before_epoch(runner, mode)
        self._began = time.monotonic()

    def _before_iter(self, *args: Any, **kwargs: Any) -> None:
        self._correct()
        super()._before_iter(*args, **kwargs)

    def _after_iter(self, *args: Any, **kwargs: Any) -> None:
        self._correct()
        super()._after_iter(*args, **kwargs)
        self._began = time.monotonic()

    def _correct(self) -> None:
        """Moves the time of day that MMEngine subtracts to where the steady clock says it was."""
        self.t = time.time() - (time.monotonic() - self._began)
