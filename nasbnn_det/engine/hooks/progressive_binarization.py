"""Layers become binary one after another, from the input to the output, while a network trains."""
from typing import Any, List, Optional

from mmengine.hooks import Hook

from ...binary import BinaryConv2d
from ...registry import HOOKS


@HOOKS.register_module()
class ProgressiveBinarizationHook(Hook):
    """Trains with all binary convolutions in full precision at first, and turns them binary one by one, in forward order.

    A layer that turns binary sees inputs that are final, since all before it are binary already, and those behind it learn
    to live with it (the order of StoMPP, arXiv 2601.22660, where a layer's numbers turn binary one by one, at random).
    Begin with what a full-precision twin has learned, see ``tools/model_converters/start_from_twin.py``. From ``until`` on
    the network is binary. A checkpoint from before does not know which layers were: tested or packed, all are binary.
    Layers are taken in the order in which the model has them, which is that of its forward pass in our detectors. A
    resumed training goes on where it was.

    Args:
        until (float): Share of all iterations after which every layer is binary, above 0, at most 1. Defaults to 0.5.

    Raises:
        ValueError: If ``until`` lies outside, or the model has no binary convolution.
    """

    def __init__(self, until: float = 0.5) -> None:
        if not 0 < until <= 1:
            raise ValueError(f'until is {until}; allowed is a share of the training above 0, at most 1')
        self.until = until

    def before_train(self, runner: Any) -> None:
        """Finds the layers."""
        self.layers: List[BinaryConv2d] = [m for m in runner.model.modules() if isinstance(m, BinaryConv2d)]
        if not self.layers:
            raise ValueError('ProgressiveBinarizationHook needs a model with binary convolutions; this one has none')

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Optional[Any] = None) -> None:
        """Turns those binary whose time has come."""
        binary = int(len(self.layers) * runner.iter / (self.until * max(runner.max_iters, 1)))
        for i, layer in enumerate(self.layers):
            layer.is_float = i >= binary

    def after_train(self, runner: Any) -> None:
        """All are binary from here on."""
        for layer in self.layers:
            layer.is_float = False
