"""Says in one sentence what is wrong with a COCO detection file, before anything obscure happens later."""
import json
import math
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Tuple, Union


class _Kind(NamedTuple):
    """What a field may hold: a test, and the same in words."""
    fits: Callable[[Any], bool]
    words: str


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    # JSON has integers too large for a float.
    return (_is_integer(value) and abs(value) < 2**63) or (isinstance(value, float) and math.isfinite(value))


def _is_box(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 4 and all(map(_is_number, value)) and min(value[2:]) >= 0


_ID = _Kind(_is_integer, 'an integer')
_NAME = _Kind(lambda value: isinstance(value, str) and bool(value), 'a non-empty string')
_LENGTH = _Kind(lambda value: _is_integer(value) and value > 0, 'a positive number of pixels')
_BOX = _Kind(_is_box, 'four finite numbers x, y, width, height in pixels, width and height not negative')
_AREA = _Kind(lambda value: _is_number(value) and value >= 0, 'a number of pixels, not negative')
_FLAG = _Kind(lambda value: _is_integer(value) and value in (0, 1), '0 or 1')
# COCO's evaluation writes the annotation's id where a detection has a match, and 0 where it has none.
_ANNOTATION_ID = _Kind(lambda value: _is_integer(value) and value > 0, 'an integer above 0')

_FIELDS: Dict[str, Dict[str, _Kind]] = dict(
    images=dict(id=_ID, file_name=_NAME, width=_LENGTH, height=_LENGTH),
    categories=dict(id=_ID, name=_NAME),
    annotations=dict(id=_ANNOTATION_ID, image_id=_ID, category_id=_ID, bbox=_BOX, area=_AREA, iscrowd=_FLAG))
_MAY_BE_EMPTY = ('annotations', )
_UNIQUE = (('images', 'id'), ('categories', 'id'), ('categories', 'name'), ('annotations', 'id'))
_REFERENCES = (('image_id', 'images'), ('category_id', 'categories'))


def check_coco_file(path: Union[str, os.PathLike]) -> Tuple[str, ...]:
    """Refuse what is no COCO detection file.

    Checked are the lists ``images``, ``categories`` and ``annotations``, the fields that training and evaluation
    need in their entries, that ids (and the names of categories) are unique, and that every annotation belongs to
    an image and a category of the file. Boxes that stick out of their image are allowed, as in COCO itself.

    Args:
        path (str | os.PathLike): Annotation file.

    Returns:
        Tuple[str, ...]: Names of the categories, in the file's order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no JSON, or no COCO detection file.
    """
    where = f"annotation file '{os.fspath(path)}'"
    content = _read_json(path, where)
    if not isinstance(content, dict):
        raise ValueError(f'{where} holds no COCO detection set: it must be a JSON object with the keys '
                         f"{_listed(_FIELDS)}, not {_shown(content)}.")
    for section in _FIELDS:
        _check_section(content, section, where)
    for section, field in _UNIQUE:
        _check_unique(content[section], section, field, where)
    for field, section in _REFERENCES:
        _check_references(content, field, section, where)
    return tuple(category['name'] for category in content['categories'])


def _read_json(path: Union[str, os.PathLike], where: str) -> Any:
    if not os.fspath(path):
        raise ValueError('no annotation file is named: ann_file must be the path of a COCO detection file.')
    if os.path.isdir(path):
        raise ValueError(f'{where} is a folder: name a COCO detection file in it.')
    try:
        return json.loads(Path(path).read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise FileNotFoundError(f'{where} does not exist: ann_file, joined to data_root, must be the path of a COCO '
                                'detection file.') from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{where} is not JSON ({error}): a COCO detection file is JSON in UTF-8.') from error


def _check_section(content: dict, section: str, where: str) -> None:
    if section not in content:
        raise ValueError(f"{where} lacks the key '{section}': a COCO detection file has the keys {_listed(_FIELDS)}.")
    entries = content[section]
    if not isinstance(entries, list):
        raise ValueError(f"{where}: '{section}' must be a list, not {_shown(entries)}.")
    if not entries and section not in _MAY_BE_EMPTY:
        raise ValueError(f"{where}: '{section}' is empty; at least one entry is needed.")
    fields = _FIELDS[section]
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise ValueError(f"{where}: {section}[{number}] must be an object with the fields {_listed(fields)}, not "
                             f'{_shown(entry)}.')
        for field, kind in fields.items():
            if field not in entry:
                raise ValueError(f"{where}: {section}[{number}] lacks '{field}'; needed are {_listed(fields)}.")
            if not kind.fits(entry[field]):
                raise ValueError(f"{where}: '{field}' of {section}[{number}] must be {kind.words}, not "
                                 f'{_shown(entry[field])}.')


def _check_unique(entries: List[dict], section: str, field: str, where: str) -> None:
    first: Dict[Any, int] = {}
    for number, entry in enumerate(entries):
        earlier = first.setdefault(entry[field], number)
        if earlier != number:
            raise ValueError(f"{where}: {section}[{earlier}] and {section}[{number}] have the same '{field}', "
                             f'{_shown(entry[field])}; it must be unique.')


def _check_references(content: dict, field: str, section: str, where: str) -> None:
    known = {entry['id'] for entry in content[section]}
    for number, entry in enumerate(content['annotations']):
        if entry[field] not in known:
            raise ValueError(f"{where}: annotations[{number}] has the {field} {entry[field]}, which is the id of no "
                             f"entry in '{section}'.")


def _listed(names: Any) -> str:
    *most, last = names
    return f'{", ".join(most)} and {last}'


def _shown(value: Any, limit: int = 60) -> str:
    """A JSON value in few words, on one line."""
    text = json.dumps(value)
    return text if len(text) <= limit else f'{text[:limit]}...'
