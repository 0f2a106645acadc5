"""The named search spaces."""
import json
import os
from typing import Any, Dict, Sequence, Union

from .space import SearchSpace

# Columns: channels, depths, kernels, groups1, groups2, stride.
_TABLES: Dict[str, Sequence[Sequence[Any]]] = {
    # arXiv 2408.15484, Sec. 4, for 224 px.
    'imagenet': [
        ((24, 32, 48), (1, ), (3, ), (1, ), (1, ), 2),
        ((48, 64, 96), (2, 3), (3, ), (1, ), (1, ), 1),
        ((96, 128, 192), (2, 3), (3, 5), (1, 2), (1, ), 2),
        ((192, 256, 384), (2, 3), (3, 5), (2, 4), (1, ), 2),
        ((384, 512, 768), (8, 9), (3, 5), (4, 8), (1, ), 2),
        ((768, 1024, 1536), (2, 3), (3, 5), (8, 16), (1, ), 2),
    ],
    # Ours, for 32 px: the stem keeps the size.
    'cifar': [
        ((24, 32, 48), (1, ), (3, ), (1, ), (1, ), 1),
        ((48, 64, 96), (1, 2), (3, ), (1, ), (1, ), 1),
        ((96, 128, 192), (1, 2), (3, 5), (1, 2), (1, ), 2),
        ((192, 256, 384), (2, 3), (3, 5), (2, 4), (1, ), 2),
        ((384, 512, 768), (2, 3), (3, 5), (4, 8), (1, ), 2),
    ],
    # Ours, for hours on a CPU: 64 px images, 320 px detection. Stages 2, 3 and 4 are C3, C4 and C5.
    'small': [
        ((24, 32, 48), (1, ), (3, ), (1, ), (1, ), 2),
        ((48, 64, 96), (1, 2), (3, ), (1, ), (1, ), 2),
        ((96, 128, 192), (2, 3), (3, 5), (1, 2), (1, ), 2),
        ((192, 256, 384), (2, 3), (3, 5), (2, 4), (1, ), 2),
        ((384, 512, 768), (1, 2), (3, 5), (4, 8), (1, ), 2),
    ],
    # Ours, for minutes on a CPU: 48 px images, 128 px detection. Stages 2, 3 and 4 are C3, C4 and C5.
    'tiny': [
        ((24, 32), (1, ), (3, ), (1, ), (1, ), 2),
        ((64, 96), (1, 2), (3, ), (1, ), (1, ), 2),
        ((96, 128), (1, 2), (3, 5), (1, 2), (1, ), 2),
        ((192, 256), (1, 2), (3, 5), (2, 4), (1, ), 2),
        ((256, 384), (1, 2), (3, 5), (4, 8), (1, ), 2),
    ],
}

SPACES: Dict[str, SearchSpace] = {
    name: SearchSpace.from_table(table, name)
    for name, table in _TABLES.items()
}


def get_space(space: Union[str, SearchSpace, Dict[str, Any], Sequence]) -> SearchSpace:
    """Resolves what a config or a caller may give as a search space.

    Args:
        space: A name in ``SPACES``, a :class:`SearchSpace`, its dict form, or a table with rows of
            (channels, depths, kernels, groups1, groups2, stride).

    Raises:
        ValueError: If the name is unknown or the table is none.
    """
    if isinstance(space, SearchSpace):
        return space
    if isinstance(space, str):
        if space not in SPACES:
            raise ValueError(f"unknown search space '{space}'; allowed are {', '.join(sorted(SPACES))}, or a table")
        return SPACES[space]
    if isinstance(space, dict):
        return SearchSpace.from_dict(space)
    return SearchSpace.from_table(space)


def read_space(spec: Union[str, os.PathLike]) -> SearchSpace:
    """Resolves what a command line may give as a search space.

    Args:
        spec: A name in ``SPACES``, or the path of a JSON file with a table or a space's dict form.

    Raises:
        FileNotFoundError: If a path ends in .json and there is no such file.
        ValueError: If the name is unknown, or the file holds no space.
    """
    path = str(spec)
    if not path.endswith('.json'):
        return get_space(path)
    try:
        with open(path, encoding='utf-8') as file:
            return get_space(json.load(file))
    except FileNotFoundError as error:
        raise FileNotFoundError(f"search space '{path}' does not exist; give a JSON file with its table, or one of "
                                f"{', '.join(sorted(SPACES))}") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"search space '{path}' is no JSON ({error}); allowed is a file with a table") from error
