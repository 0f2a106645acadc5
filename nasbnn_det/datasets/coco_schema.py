"""Reads a COCO detection file and says in one sentence what is wrong with it, before anything obscure happens later."""
import json
import os
from collections import Counter
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Union

import numpy as np

_Path = Union[str, os.PathLike]


class _Kind(NamedTuple):
    """What a field may hold: a test of all its values at once, and the same in words.

    The values come from JSON, so that their types are exact. A test must hold for a list if and only if it holds for
    each value alone; lists keep it fast (860,000 annotations in three seconds).
    """
    fit: Callable[[List[Any]], bool]
    words: str


def _are_integers(values: List[Any]) -> bool:
    return set(map(type, values)) <= {int} and (not values or -2**63 <= min(values) and max(values) < 2**63)


def _are_numbers(values: List[Any]) -> bool:
    if not set(map(type, values)) <= {int, float}:
        return False
    try:
        return bool(np.isfinite(np.array(values, dtype=np.float64)).all())
    except OverflowError:  # JSON has integers too large for a float
        return False


def _are_boxes(values: List[Any]) -> bool:
    if not (set(map(type, values)) <= {list} and set(map(len, values)) <= {4}):
        return False
    numbers = list(chain.from_iterable(values))
    return _are_numbers(numbers) and bool((np.array(numbers, dtype=np.float64).reshape(-1, 4)[:, 2:] >= 0).all())


def _are_positive(values: List[Any]) -> bool:
    return _are_integers(values) and (not values or min(values) > 0)


def _are_areas(values: List[Any]) -> bool:
    return _are_numbers(values) and (not values or min(values) >= 0)


def _are_names(values: List[Any]) -> bool:
    return set(map(type, values)) <= {str} and all(values)


def _are_flags(values: List[Any]) -> bool:
    return _are_integers(values) and set(values) <= {0, 1}


_ID = _Kind(_are_integers, 'an integer of 64 bits')
_NAME = _Kind(_are_names, 'a non-empty string')
_LENGTH = _Kind(_are_positive, 'a positive number of pixels')
_BOX = _Kind(_are_boxes, 'four finite numbers x, y, width, height in pixels, width and height not negative')
_AREA = _Kind(_are_areas, 'a number of pixels, not negative')
_FLAG = _Kind(_are_flags, '0 or 1')

_FIELDS: Dict[str, Dict[str, _Kind]] = dict(
    images=dict(id=_ID, file_name=_NAME, width=_LENGTH, height=_LENGTH),
    categories=dict(id=_ID, name=_NAME),
    annotations=dict(id=_ID, image_id=_ID, category_id=_ID, bbox=_BOX, area=_AREA, iscrowd=_FLAG))
_MAY_BE_EMPTY = ('annotations', )
_UNIQUE = (('images', 'id'), ('categories', 'id'), ('categories', 'name'), ('annotations', 'id'))
_REFERENCES = (('image_id', 'images'), ('category_id', 'categories'))


def read_coco_file(path: _Path, name: str = '') -> Dict[str, Any]:
    """Reads a COCO detection file and refuses what is none.

    Checked are the lists ``images``, ``categories`` and ``annotations``, the fields that training and evaluation need
    in their entries, that ids (and the names of categories) are unique, and that every annotation belongs to an image
    and a category of the file. Boxes that stick out of their image are allowed, as in COCO itself, and so is a file
    without the key ``annotations``, as evaluation servers publish them: the list is empty then.

    Two habits of converters are put right. A root category, which owns no box and has the name of another category
    that names it as its ``supercategory``, is left out. Where ``area`` is 0 and the box is not, it becomes width times
    height; MMDetection would leave such a box out.

    Args:
        path (str | os.PathLike): The file; JSON in UTF-8, with or without a byte order mark.
        name (str): What the messages call it. Defaults to the path.

    Returns:
        dict: The file's content.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no JSON, or no COCO detection file.
    """
    where = f"annotation file '{name or os.fspath(path)}'"
    return check_coco(_read_json(path, where), name or os.fspath(path))


def check_coco(content: Any, name: str) -> Dict[str, Any]:
    """What :func:`read_coco_file` does with a file's content.

    Args:
        content: What the JSON says; changed in place where something is put right.
        name (str): What messages call the file.

    Returns:
        dict: The content.

    Raises:
        ValueError: If it is no COCO detection set.
    """
    where = f"annotation file '{name}'"
    if not isinstance(content, dict):
        raise ValueError(f'{where} holds no COCO detection set: it must be a JSON object with the keys '
                         f"{_listed(_FIELDS)}, not {_shown(content)}.")
    content.setdefault('annotations', [])
    for section in _FIELDS:
        _check_section(content, section, where)
    _drop_roots(content)
    for section, field in _UNIQUE:
        _check_unique(content[section], section, field, where)
    for field, section in _REFERENCES:
        _check_references(content, field, section, where)
    for annotation in content['annotations']:
        if not annotation['area']:
            annotation['area'] = annotation['bbox'][2] * annotation['bbox'][3]
    return content


def _read_json(path: _Path, where: str) -> Any:
    if not os.fspath(path):
        raise ValueError('no annotation file is named: ann_file must be the path of a COCO detection file.')
    if os.path.isdir(path):
        raise ValueError(f'{where} is a folder: name a COCO detection file in it.')
    try:
        return json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{where} does not exist: ann_file, joined to data_root, must be the path of a COCO '
                                'detection file.') from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{where} is not JSON ({error}): a COCO detection file is JSON in UTF-8.') from error


def _check_section(content: Dict[str, Any], section: str, where: str) -> None:
    if section not in content:
        raise ValueError(f"{where} lacks the key '{section}': a COCO detection file has the keys {_listed(_FIELDS)}.")
    entries = content[section]
    if not isinstance(entries, list):
        raise ValueError(f"{where}: '{section}' must be a list, not {_shown(entries)}.")
    if not entries and section not in _MAY_BE_EMPTY:
        raise ValueError(f"{where}: '{section}' is empty; at least one entry is needed.")
    fields = _FIELDS[section]
    if not set(map(type, entries)) <= {dict}:
        number = next(n for n, entry in enumerate(entries) if type(entry) is not dict)
        raise ValueError(f"{where}: {section}[{number}] must be an object with the fields {_listed(fields)}, not "
                         f'{_shown(entries[number])}.')
    for field, kind in fields.items():
        try:
            values = list(map(itemgetter(field), entries))
        except KeyError:
            number = next(n for n, entry in enumerate(entries) if field not in entry)
            raise ValueError(f"{where}: {section}[{number}] lacks '{field}'; needed are {_listed(fields)}.") from None
        if not kind.fit(values):
            number = _first_misfit(values, kind.fit)
            raise ValueError(f"{where}: '{field}' of {section}[{number}] must be {kind.words}, not "
                             f'{_shown(values[number])}.')


def _first_misfit(values: List[Any], fit: Callable[[List[Any]], bool]) -> int:
    """Index of the first value that does not fit, by halving."""
    start, end = 0, len(values)
    while end - start > 1:
        middle = (start + end) // 2
        start, end = (middle, end) if fit(values[start:middle]) else (start, middle)
    return start


def _drop_roots(content: Dict[str, Any]) -> None:
    """Leaves out root categories whose name a category below them has too."""
    categories = content['categories']
    names = Counter(category['name'] for category in categories)
    if len(names) == len(categories):
        return
    used = {annotation['category_id'] for annotation in content['annotations']}
    content['categories'] = [
        category for category in categories
        if names[category['name']] == 1 or category['id'] in used or not any(
            other is not category and other['name'] == category['name'] == other.get('supercategory')
            for other in categories)]


def _check_unique(entries: List[dict], section: str, field: str, where: str) -> None:
    if len(set(map(itemgetter(field), entries))) == len(entries):
        return
    first: Dict[Any, int] = {}
    for number, entry in enumerate(entries):
        earlier = first.setdefault(entry[field], number)
        if earlier != number:
            raise ValueError(f"{where}: {section}[{earlier}] and {section}[{number}] have the same '{field}', "
                             f'{_shown(entry[field])}; it must be unique.')


def _check_references(content: Dict[str, Any], field: str, section: str, where: str) -> None:
    unknown = set(map(itemgetter(field), content['annotations'])) - {entry['id'] for entry in content[section]}
    if unknown:
        number = next(n for n, entry in enumerate(content['annotations']) if entry[field] in unknown)
        raise ValueError(f"{where}: annotations[{number}] has the {field} {content['annotations'][number][field]}, which "
                         f"is the id of no entry in '{section}'.")


def _listed(names: Any) -> str:
    *most, last = names
    return f'{", ".join(most)} and {last}'


def _shown(value: Any, limit: int = 60) -> str:
    """A JSON value in few words, on one line."""
    text = json.dumps(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
