"""Work shared by the processes of a distributed run. With one process everything here is a plain loop."""
import weakref
from datetime import timedelta
from typing import Any, Callable, List, Sequence, TypeVar

import torch.distributed as dist
from mmengine.dist import all_gather_object, broadcast_object_list, get_rank, get_world_size

_Item = TypeVar('_Item')
_Result = TypeVar('_Result')

#: How long a process waits for the others. A generation of a search may take hours; NCCL would give up after ten minutes.
_PATIENCE = timedelta(days=7)
#: By the group of all processes. Nothing here keeps a group: it lives until ``torch.distributed`` destroys it.
_patient: Any = weakref.WeakKeyDictionary()


def _patient_group() -> Any:
    """All processes, over gloo: Python objects need no GPU, and no other collective waits with them."""
    world = dist.group.WORLD
    group = _patient[world]() if world in _patient else None
    if group is None:
        group = dist.new_group(backend='gloo', timeout=_PATIENCE)
        _patient[world] = weakref.ref(group)
    return group


def map_over_ranks(function: Callable[[_Item], _Result], items: Sequence[_Item]) -> List[_Result]:
    """Calls a function on every item, each in one of the processes, and gives all of them all results.

    Args:
        function (Callable): What to do with an item; its result must pickle.
        items (Sequence): The same in all processes.

    Returns:
        list: The results in the order of ``items``, the same in all processes.

    Raises:
        RuntimeError: In all processes, if the function failed in one of them.
    """
    rank, world = get_rank(), get_world_size()
    if world == 1:
        return [function(item) for item in items]
    group = _patient_group()
    done, failure, error = [], '', None
    try:
        done = [function(item) for item in items[rank::world]]
    except Exception as caught:  # the others must not wait forever
        failure, error = f'process {rank}: {caught}', caught
    shares = all_gather_object((failure, done), group)
    failures = [text for text, _ in shares if text]
    if error is not None:
        raise error
    if failures:
        raise RuntimeError(f'another process failed: {failures[0]}')
    return [shares[i % world][1][i // world] for i in range(len(items))]


def from_main(make: Callable[[], Any]) -> Any:
    """Calls a function in the main process alone and gives its result to all.

    Raises:
        Exception: In the main process, what the function raised.
        SystemExit: In the others then; the main process says why.
    """
    if get_world_size() == 1:
        return make()
    group = _patient_group()
    box, error = [None, False], None
    if get_rank() == 0:
        try:
            box[0] = make()
        except Exception as caught:  # the others must not wait forever
            box[1], error = True, caught
    broadcast_object_list(box, group=group)
    if error is not None:
        raise error
    if box[1]:
        raise SystemExit(1)
    return box[0]
