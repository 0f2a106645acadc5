"""Parameters of any model by precision, and the bytes of its packed weights."""
from dataclasses import dataclass
from typing import Dict, List, Optional, Tuple

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from .params import Params


@dataclass(frozen=True)
class ModuleSize:
    """What one module has to store once it is deployed.

    Args:
        name (str): Its name in the model.
        kind (str): Its class.
        params (Params): Learned values by precision; what only shapes binary weights in training is left out.
        packed_bytes (int): The same in a packed file.
    """
    name: str
    kind: str
    params: Params
    packed_bytes: int


def packed_bytes(module: nn.Module, params: Params, folded: int = 0) -> int:
    """Bytes of a module's weights in a packed file.

    * A binary weight is a bit. The bits of one filter's tap lie side by side over the input channels of a group and
      fill whole bytes: ``ceil(in_channels / groups / 8)`` per tap and output channel.
    * An 8-bit weight is a byte, every other value four: RSign's shift, a batch norm folded into one scale and one shift,
      each per channel, the step of 8-bit weights per output channel. Of RPReLU's three values the first goes into the
      shift of the batch norm before it.
    * Latent weights, matrices of the Bi-Transformation and statistics of batch norms are not stored.

    Args:
        module (nn.Module): The module, without its children.
        params (Params): Its values by precision.
        folded (int): How many of its 32-bit values go into those of another module. Defaults to 0.
    """
    binary = 0
    if params.bits1:
        taps = module.kernel_size[0] * module.kernel_size[1]
        binary = -(-(module.in_channels // module.groups) // 8) * taps * module.out_channels
    return binary + params.bits8 + 4 * (params.bits32 - folded)


def measure_model(model: nn.Module) -> List[ModuleSize]:
    """Measures every module that stores something; shared modules and shared values once.

    Args:
        model (nn.Module): Any model.

    Returns:
        list[ModuleSize]: In the order of the model.
    """
    pairs = [pair for parent in model.modules() for pair in _neighbours(parent)]
    normalized = {module for module, after in pairs if isinstance(after, _BatchNorm)}
    folded = {after: getattr(after, after.folded).numel() for module, after in pairs
              if isinstance(module, _BatchNorm) and hasattr(after, 'folded')}
    seen: set = set()
    rows = []
    for name, module in model.named_modules():
        own = {key: value.numel() for key, value in module.named_parameters(recurse=False) if id(value) not in seen}
        seen.update(map(id, module.parameters(recurse=False)))
        params = _params(module, own, module in normalized)
        if params != Params(0, 0, 0):
            size = packed_bytes(module, params, folded.get(module, 0))
            rows.append(ModuleSize(name, type(module).__name__, params, size))
    return rows


def _params(module: nn.Module, own: Dict[str, int], normalized: bool) -> Params:
    """A module's own values by precision."""
    if isinstance(module, _BatchNorm):
        return Params(0, 0, 2 * module.num_features)
    bits: Optional[int] = getattr(module, 'weight_bits', None)
    if bits is None or 'weight' not in own:
        return Params(0, 0, sum(own.values()))
    weights, bias = own['weight'], own.get('bias', 0)
    if bits == 1:
        # The scale of a filter goes into the batch norm behind it, where there is one.
        return Params(weights, 0, bias + (0 if normalized else module.out_channels))
    # One step per filter, whether it was learned or follows from the weights.
    return Params(0, weights, bias + module.out_channels)


def _neighbours(parent: nn.Module) -> List[Tuple[nn.Module, nn.Module]]:
    """Children of a module, each with the one behind it."""
    children = list(parent.children())
    return list(zip(children, children[1:]))


def total_params(rows: List[ModuleSize]) -> Params:
    """Sum over all rows."""
    return sum((row.params for row in rows), Params(0, 0, 0))


def total_packed_bytes(rows: List[ModuleSize]) -> int:
    """Sum over all rows."""
    return sum(row.packed_bytes for row in rows)
