"""Extraction: one architecture's weights out of the supernet, into a static network."""
from typing import Any, Callable, Dict, Mapping, Sequence, Tuple

from torch import Tensor
from torch.overrides import TorchFunctionMode

from ..arch import Arch, Block
from .layers import SlicedBlock, SlicedBrick, sliced_state
from .subnet import Subnet
from .supernet import Supernet


def extract_subnet(supernet: Supernet, arch: Arch) -> Subnet:
    """Copies an architecture's slices into a static network with the same outputs.

    Batch norm statistics are copied too, but they were shared by all architectures during training:
    recalibrate them (:func:`nasbnn_det.supernet.recalibrate_bn`) before the network is used.

    Args:
        supernet (Supernet): The trained supernet; it is not changed.
        arch (Arch): The architecture to extract.

    Returns:
        Subnet: A network of its own, no memory shared with the supernet, in evaluation mode, on the CPU.

    Raises:
        ValueError: If the architecture belongs to another space.
    """
    supernet.check_arch(arch)
    with _NoRandomValues():
        subnet = Subnet(arch, supernet.num_classes, supernet.binarization)
    state: Dict[str, Tensor] = {}
    width = arch.stages[0][0].channels
    stem = supernet.stem
    _put(state, 'stem.conv', sliced_state(stem.conv, width))
    _put(state, 'stem.bn', sliced_state(stem.bn, width))
    _put(state, 'stem.act', sliced_state(stem.act, width))
    for i, (modules, blocks) in enumerate(zip(supernet.stages, arch.stages[1:])):
        for j, (module, block) in enumerate(zip(modules, blocks)):
            width = _block_state(state, f'stages.{i}.{j}', module, block, width)
    state['fc.weight'] = supernet.fc.weight[:, :width]
    state['fc.bias'] = supernet.fc.bias
    # What the subnet says of itself is already there.
    state.update({key: value for key, value in subnet.state_dict().items() if key.endswith(('arch_json', 'rule_json'))})
    subnet.load_state_dict({k: v.detach() for k, v in state.items()}, strict=True)
    return subnet.eval()


class _NoRandomValues(TorchFunctionMode):
    """Leaves out the random initialisation of modules, which takes longer than everything else of an extraction."""

    def __torch_function__(self, func: Callable[..., Any], types: Sequence[type], args: Sequence[Any] = (),
                           kwargs: Mapping[str, Any] = {}) -> Any:
        if getattr(func, '__module__', None) == 'torch.nn.init':
            return args[0] if args else kwargs['tensor']
        return func(*args, **kwargs)


def _block_state(state: Dict[str, Tensor], prefix: str, module: SlicedBlock, block: Block, width: int) -> int:
    """Adds a block's slices to ``state``; returns the block's output channels."""
    _brick_state(state, f'{prefix}.conv1', module.conv1, (width, width), block.kernel, block.groups1)
    _brick_state(state, f'{prefix}.conv2', module.conv2, (width, block.channels), 1, block.groups2)
    return block.channels


def _brick_state(state: Dict[str, Tensor], prefix: str, brick: SlicedBrick, channels: Tuple[int, int], kernel: int,
                 groups: int) -> None:
    conv, (in_channels, out_channels) = brick.conv, channels
    state[f'{prefix}.conv.weight'] = conv.latent_weight(in_channels, out_channels, kernel, groups)
    if conv.matrix_for(kernel) is not None:
        state[f'{prefix}.conv.transform'] = conv.transform
    state[f'{prefix}.conv.sign.bias'] = conv.sign.bias[:in_channels]
    _put(state, f'{prefix}.conv.sign.learned', conv.sign.learned.state_dict())
    _put(state, f'{prefix}.bn', sliced_state(brick.bn, out_channels))
    _put(state, f'{prefix}.act', sliced_state(brick.act, out_channels))


def _put(state: Dict[str, Tensor], prefix: str, part: Dict[str, Tensor]) -> None:
    state.update({f'{prefix}.{name}': value for name, value in part.items()})
