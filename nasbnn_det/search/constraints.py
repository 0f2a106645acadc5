"""Bounds of a search beside its window of OPs: parameters, latency, or whatever a callable measures."""
import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Callable, Dict, List, Union

from ..arch import Arch
from ..costs.params import count_params


@dataclass(frozen=True)
class Constraint:
    """An upper bound on something measured on an architecture.

    Args:
        name (str): What is measured.
        measure (Callable): ``measure(arch)`` gives a number.
        most (float): The largest value allowed.
    """
    name: str
    measure: Callable[[Arch], float]
    most: float


def build_constraints(config: Dict[str, Union[float, Dict[str, Any]]], num_classes: int) -> List[Constraint]:
    """Reads the ``constraints`` of a search config.

    Args:
        config (dict): ``params=2e6`` bounds the number of parameters, ``bytes=5e5`` their size. Any other name, such
            as latency, takes ``dict(measure='package.module:function', most=3.0)``: the function is called with an
            :class:`Arch`, in the main process, once for each that is drawn. A search can be repeated and continued
            exactly only if it always gives the same number for the same architecture.
        num_classes (int): Classes of the supernet.

    Raises:
        ValueError: If an entry can't be understood or its function can't be imported.
    """
    known = dict(params=lambda arch: count_params(arch, num_classes).total,
                 bytes=lambda arch: count_params(arch, num_classes).bytes)
    constraints = []
    for name, entry in config.items():
        if name in known and isinstance(entry, (int, float)):
            constraints.append(Constraint(name, known[name], float(entry)))
        elif isinstance(entry, dict) and set(entry) == {'measure', 'most'}:
            measure = lru_cache(maxsize=None)(_import(name, entry['measure']))
            constraints.append(Constraint(name, measure, float(entry['most'])))
        else:
            raise ValueError(f"constraint {name}={entry!r} can't be understood; allowed are params=NUMBER, bytes=NUMBER, or "
                             "any name with dict(measure='package.module:function', most=NUMBER)")
    return constraints


def _import(name: str, path: Any) -> Callable[[Arch], float]:
    module, _, function = str(path).partition(':')
    try:
        found = getattr(importlib.import_module(module), function)
        if not callable(found):
            raise ValueError('it is no function')
        return found
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"constraint {name}: '{path}' can't be imported ({error}); write 'package.module:function'"
                         ) from error
