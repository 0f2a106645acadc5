"""Guards around checkpoints that OpenMMLab loads with a warning at most."""
import os
import re
import zipfile
from pathlib import Path
from typing import Any, Dict, Optional, Tuple, Union

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


def replacement_checkpoint(work_dir: Union[str, os.PathLike]) -> Optional[str]:
    """What a training is to be resumed from where ``last_checkpoint`` leads nowhere: a kill or a full disk can cut it off.

    Args:
        work_dir: Folder of the training.

    Returns:
        str, optional: The newest whole ``epoch_N.pth`` or ``iter_N.pth``; None if ``last_checkpoint`` names a whole one, or
            there is none at all.
    """
    folder = Path(work_dir)
    pointer = folder / 'last_checkpoint'
    named = pointer.read_text(encoding='utf-8', errors='surrogateescape').strip() if pointer.is_file() else ''
    if named and ('://' in named or _is_whole(Path(named))):
        return None
    found = [(int(match[1]), path) for path in folder.glob('*.pth')
             if (match := re.fullmatch(r'(?:epoch|iter)_(\d+)\.pth', path.name)) and _is_whole(path)]
    return str(max(found)[1]) if found else None


def _is_whole(path: Path) -> bool:
    """Whether a checkpoint was written to its end, where a zip file has its directory."""
    return path.is_file() and zipfile.is_zipfile(path)
