"""Full-precision training first, then binary: a binary network begins with what its full-precision twin has learned."""
import os
from typing import Any, Dict, Tuple, Union

import torch
from torch import Tensor, nn

from ..binary import BinaryConv2d, QuantConv2d
from ..supernet.checkpoint import check_keys, read_checkpoint


def start_from_twin(network: nn.Module, path: Union[str, os.PathLike]) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    """Makes a binary network's state from the checkpoint of its full-precision twin.

    The twin's weights become latent weights, so the binary ones begin as their signs; batch norms, activations and
    predictors go over as they are. What only a binary convolution has, the shifts of its RSign and the matrix of its
    Bi-Transformation, keeps the network's own initial values; predictors that have 8-bit weights here and real ones in the
    twin take the steps of those weights at the first training forward. Training in two steps, of which the first is in full
    precision, is how binary networks are commonly trained (Bi-Real Net, arXiv 1808.00278).

    Args:
        network (nn.Module): The binary network; it is not changed.
        path: Checkpoint of the twin, the same network with ``binarization='float'``.

    Returns:
        tuple[dict, dict]: The state dict for the binary network, and the checkpoint's meta.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the checkpoint is of a binary network, or of another one.
    """
    given, meta = read_checkpoint(path)
    own = network.state_dict()
    binary_only = {
        f'{name}.{key}'
        for name, module in network.named_modules(remove_duplicate=False) if isinstance(module, BinaryConv2d)
        for key in module.state_dict() if key not in ('weight', 'bias')
    }
    if not binary_only:
        raise ValueError("this network has no binary convolution, so nothing is to be done for it; give the config of "
                         'the binary network, not of its twin')
    if binary_only & set(given):
        raise ValueError(f"'{path}' holds a network that is binary already; allowed is its full-precision twin")
    state = {**given, **{key: own[key].clone() for key in binary_only}}
    for name, module in network.named_modules(remove_duplicate=False):
        if isinstance(module, QuantConv2d) and f'{name}.step' not in given:
            state[f'{name}.step'] = own[f'{name}.step'].clone()
            state[f'{name}.value_is_set'] = torch.tensor(False)
    check_keys(own, state, path, "a checkpoint of this network's full-precision twin")
    return state, meta
