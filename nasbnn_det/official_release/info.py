"""The release's ``info.pth.tar``, its search result, as a front of ours."""
import os
from typing import Any, Dict, List, Sequence, Tuple, Union

from ..arch import Arch, Front, FrontEntry, SearchSpace, get_space
from ..costs import count_ops
from ..supernet.checkpoint import load_safely

#: How far the recorded OPs may be from ours before the input size must be another, relative.
_SAME_OPS = 1e-3
_KIND = "allowed is the info.pth.tar of a search by NAS-BNN's public release"


def load_released_front(path: Union[str, os.PathLike], space: Union[str, SearchSpace, Dict[str, Any], Sequence],
                        input_size: Tuple[int, int], num_classes: int) -> Tuple[Front, List[FrontEntry]]:
    """Reads the release's search result, by safe loading only.

    Args:
        path: ``info.pth.tar``: a dict with ``vis_dict`` {candidate: {ops, acc, ...}} and ``pareto_global``
            {OPs bucket: candidate}, OPs in millions.
        space: As :func:`nasbnn_det.arch.get_space` takes it.
        input_size (tuple[int, int]): Height and width the search counted OPs for, in pixels.
        num_classes (int): Classes of the supernet.

    Returns:
        tuple[Front, list[FrontEntry]]: The front, ascending in OPs as we count them, and all architectures with a
        score.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no such result, a candidate is illegal or has no score, or the recorded OPs are
            those of another input size.
    """
    space = get_space(space)
    data = _read(path)
    scored: Dict[Tuple[int, ...], FrontEntry] = {}
    for candidate, facts in data['vis_dict'].items():
        if isinstance(facts, dict) and isinstance(facts.get('acc'), (int, float)):
            arch = Arch.from_release(candidate, space)
            ops = count_ops(arch, input_size, num_classes).ops
            _check_ops(path, ops, facts.get('ops'), input_size)
            scored[candidate] = FrontEntry(arch, ops, float(facts['acc']))
    missing = [bucket for bucket, candidate in data['pareto_global'].items() if candidate not in scored]
    if missing:
        raise ValueError(f"'{path}': the candidate of bucket {missing[0]} has no score in vis_dict; {_KIND}")
    entries = sorted((scored[c] for c in data['pareto_global'].values()), key=lambda e: e.ops)
    return Front(tuple(entries), dict(metric='accuracy/top1')), list(scored.values())


def _read(path: Union[str, os.PathLike]) -> Dict[str, Dict]:
    data = load_safely(path, 'search result')
    for key in ('vis_dict', 'pareto_global'):
        if not isinstance(data, dict) or not isinstance(data.get(key), dict) or not data[key]:
            raise ValueError(f"'{path}' has no {key}; {_KIND}")
    return data


def _check_ops(path: Union[str, os.PathLike], ops: float, recorded: Any, input_size: Tuple[int, int]) -> None:
    """OPs are the one thing that says whether space and input size are those of the search."""
    if isinstance(recorded, (int, float)) and abs(recorded * 1e6 - ops) > _SAME_OPS * ops:
        raise ValueError(f"'{path}' says {recorded:g}M OPs where {input_size[0]} x {input_size[1]} pixels give "
                         f'{ops / 1e6:g}M; give the input size and the space of that search')
