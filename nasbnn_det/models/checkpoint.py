"""Guards around checkpoints that OpenMMLab loads with a warning at most."""
import os
from typing import Any, Dict, Tuple, Union

from mmengine.model import is_model_wrapper
from torch import Tensor, nn

from ..supernet.checkpoint import check_keys, read_checkpoint


def check_checkpoint(model: nn.Module,
                     path: Union[str, os.PathLike]) -> Tuple[Dict[str, Tensor], Dict[str, Any]]:
    """Checks that a checkpoint holds exactly a model's weights, before it is used.

    Runners load non-strictly: a checkpoint of another model would be evaluated with random weights and a warning.

    Args:
        model (nn.Module): The model.
        path: The checkpoint.

    Returns:
        tuple[dict, dict]: The state dict as the model takes it, and the checkpoint's meta.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If keys are missing, left over or of another shape.
    """
    state, meta = read_checkpoint(path)
    model = model.module if is_model_wrapper(model) else model
    state = {key.removeprefix('module.'): value for key, value in state.items()}
    check_keys(model.state_dict(), state, path)
    return state, meta
