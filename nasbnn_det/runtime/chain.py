"""Packed layers that run in one call."""
from typing import List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from .layer import PackedLayer
from .native import NativeChain
from .ops import Layers, Shapes, as_arguments, check_input, output_shapes, packed_chain, run_chain


class _Ready(NamedTuple):
    """What a chain keeps from call to call: the first two while its tensors are these, the shapes for one input size."""
    layers: Layers
    native: NativeChain
    pointers: List[int]
    size: Optional[torch.Size] = None
    shapes: Shapes = ()


class PackedChain(nn.Module):
    """A sequence of packed layers, each on the output of the one before it.

    Args:
        layers (Sequence[PackedLayer]): The layers.
        outputs (Sequence[int], optional): After which layers an output is taken. None takes the last one's, and
            :meth:`forward` returns it alone. Defaults to None.

    Raises:
        ValueError: If channels of neighbours differ, or an output names no layer.
    """

    def __init__(self, layers: Sequence[PackedLayer], outputs: Optional[Sequence[int]] = None) -> None:
        super().__init__()
        if not layers:
            raise ValueError('a packed chain needs at least one layer')
        for i, (first, second) in enumerate(zip(layers, layers[1:])):
            if first.spec.out_channels != second.spec.in_channels:
                raise ValueError(f'layer {i} has {first.spec.out_channels} output channels, layer {i + 1} takes '
                                 f'{second.spec.in_channels}')
        if outputs is not None and (not outputs or list(outputs) != sorted(set(outputs))
                                 or not 0 <= outputs[0] <= outputs[-1] < len(layers)):
            raise ValueError(f'outputs are {list(outputs)}; allowed are ascending indices of the {len(layers)} layers')
        if outputs is not None:
            layers = layers[:outputs[-1] + 1]
        self.layers = nn.ModuleList(layers)
        self.outputs = None if outputs is None else tuple(outputs)
        self._ready: Optional[_Ready] = None

    def described(self) -> Layers:
        """Its layers as :func:`nasbnn_det.runtime.ops.run_chain` takes them."""
        places = {layer: i for i, layer in enumerate(self.outputs or (len(self.layers) - 1, ))}
        return [(layer.spec, layer.tensors(), places.get(i, -1)) for i, layer in enumerate(self.layers)]

    def forward(self, x: Tensor) -> Union[Tensor, Tuple[Tensor, ...]]:
        """Runs the chain; no gradients.

        Args:
            x (Tensor): Float, shape (N, C, H, W), any size.

        Returns:
            Tensor | tuple[Tensor]: The last layer's map, or those after the layers `outputs`; channels_last.

        Raises:
            ValueError: If the input does not fit.
        """
        if torch.compiler.is_compiling() or type(x) is not Tensor:
            outputs = packed_chain(x, *as_arguments(self.described()))
        else:
            outputs = self._run(x.detach())
        return outputs[0] if self.outputs is None else tuple(outputs)

    def _run(self, x: Tensor) -> List[Tensor]:
        # Loading replaces tensors, sharing with another process their memory. Attributes of modules are looked up slowly,
        # hence the plain dicts.
        pointers = [tensor.data_ptr() for layer in self._modules['layers']._modules.values()
                    for tensor in layer._buffers.values() if tensor is not None]
        ready = self._ready
        if ready is None or ready.pointers != pointers:
            layers = self.described()
            ready = _Ready(layers, NativeChain(layers), pointers)
        if ready.size != x.shape:
            check_input(x, ready.layers)
            ready = self._ready = ready._replace(size=x.shape, shapes=output_shapes(x, ready.layers))
        return run_chain(x, ready.layers, ready.native, shapes=ready.shapes)

    def __getstate__(self) -> dict:
        return {**self.__dict__, '_ready': None}
