"""Values built from what a config says. Imports the standard library only."""
from dataclasses import fields
from typing import Any, Dict, Optional, Type, TypeVar

_Value = TypeVar('_Value')


def build_checked(kind: Type[_Value], config: Optional[Dict[str, Any]], name: str) -> _Value:
    """Builds a dataclass from a config's dict.

    Args:
        kind (type): The dataclass.
        config (dict, optional): Its arguments; None takes the defaults.
        name (str): Where the config has them, for the message.

    Raises:
        ValueError: If a key is unknown.
    """
    allowed = [field.name for field in fields(kind)]
    unknown = sorted(set(config or {}) - set(allowed))
    if unknown:
        raise ValueError(f'{name} has no {", ".join(unknown)}; allowed are {", ".join(allowed)}')
    return kind(**(config or {}))
