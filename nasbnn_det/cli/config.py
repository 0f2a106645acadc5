"""How the command line tools read a config and what the command line changes in it."""
import argparse
import ast
import os
import tokenize
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Union

from mmengine.config import Config


class ConfigOptions(argparse.Action):
    """Reads ``KEY=VALUE ...`` into a dict, as MMEngine's ``DictAction`` does, but keeps the blanks of a value.

    A value is an integer, a float, True, False, None or a text; with commas or brackets, a list or (in parentheses) a
    tuple of them. The name of something that is there, or of something new in a folder that is, is a text whatever letters
    it has.
    """

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any,
                 option_string: Optional[str] = None) -> None:
        options = dict(getattr(namespace, self.dest, None) or {})
        for item in values:
            key, equals, value = item.partition('=')
            if not equals or not key:
                parser.error(f"{option_string} takes KEY=VALUE, not '{item}'")
            options[key] = _read_value(value)
        setattr(namespace, self.dest, options)


def _read_value(text: str) -> Any:
    text = text.strip().strip('\'"')
    if _is_path(text):
        return text
    if text[:1] + text[-1:] in ('()', '[]'):
        values = [_read_value(part) for part in _split(text[1:-1])]
        return tuple(values) if text[0] == '(' else values
    parts = _split(text)
    return [_read_value(part) for part in parts] if len(parts) > 1 else _read_scalar(text)


def _is_path(text: str) -> bool:
    """Whether a text with a comma or brackets names something."""
    special, folder = set(',()[]'), os.path.dirname(text)
    return bool(folder and special & set(text)) and (
        os.path.exists(text) or bool(special & set(folder)) and os.path.isdir(folder))


def _split(text: str) -> List[str]:
    """The parts between commas that stand in no brackets."""
    parts, depth = [''], 0
    for letter in text:
        depth += (letter in '([') - (letter in ')]')
        if letter == ',' and depth == 0:
            parts.append('')
        else:
            parts[-1] += letter
    return parts if parts[-1].strip() else parts[:-1]


def _read_scalar(text: str) -> Any:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            pass
    return {'true': True, 'false': False}.get(text.lower(), None if text == 'None' else text)


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Adds ``--cfg-options`` to a tool."""
    parser.add_argument(
        '--cfg-options', nargs='+', action=ConfigOptions, metavar='KEY=VALUE',
        help='override settings of the config; lists as key="[a,b]" or key=a,b')


def read_config(path: Union[str, os.PathLike], options: Optional[Dict[str, Any]] = None,
                data_root: Optional[str] = None) -> Config:
    """Reads a config and applies the command line to it.

    A data loader with ``num_workers=0`` loses what has a meaning for worker processes alone.

    Args:
        path: Config file.
        options (dict, optional): Settings by dotted keys. Defaults to None.
        data_root (str, optional): Folder of the data: the ``data_root`` of all data sets, and of annotation files of
            evaluators below it. Defaults to None, as the config says.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the config can't be read, or ``data_root`` is given and the data sets of the config have none, or
            more than one.
    """
    try:
        cfg = Config.fromfile(path)
    except (ImportError, FileNotFoundError):
        raise
    except Exception as error:  # a config is a program, and may fail in any way
        raise ValueError(f"config '{path}' can't be read ({type(error).__name__}: {error})") from error
    _drop_scope(cfg)
    cfg.merge_from_dict(options or {})
    if data_root is not None:
        _move_data(cfg, data_root)
    for loader in _parts(cfg, '_dataloader'):
        if loader.get('num_workers') == 0:
            loader.pop('persistent_workers', None)
            loader.pop('prefetch_factor', None)
    return cfg


def _drop_scope(value: Any) -> None:
    """Takes back what MMEngine adds to all that a config inherits by ``nasbnn_det::``.

    It would look for MMDetection's parts among ours alone. Our configs name their own parts in full.
    """
    inside = list(value.values()) if isinstance(value, (dict, Config)) else value if isinstance(value, (list, tuple)) else ()
    if isinstance(value, (dict, Config)) and value.get('_scope_') == 'nasbnn_det':
        value.pop('_scope_')
    for part in inside:
        _drop_scope(part)


def shipped_config(name: str) -> Path:
    """The file of a config of this project, in a checkout or in an installed package.

    Args:
        name (str): From the folder ``configs`` on, such as ``'detection/rtmdet/NAME.py'``.

    Raises:
        FileNotFoundError: If there is none of that name.
    """
    package = Path(__file__).resolve().parents[1]
    found = [folder / 'configs' / name for folder in (package.parent, package / '.mim')
             if (folder / 'configs' / name).is_file()]
    if not found:
        raise FileNotFoundError(f"there is no config '{name}' in this installation of nasbnn_det")
    return found[0]


def choose_work_dir(cfg: Config, work_dir: Optional[str] = None) -> None:
    """Sets the folder of a run: as told, else as the config says, else ``work_dirs/NAME`` after the config's file.

    Args:
        cfg (Config): As read from its file; changed in place.
        work_dir (str, optional): The folder. Defaults to None.

    Raises:
        ValueError: If the config itself lies there, in a form that the runner's copy of all settings would lose.
    """
    cfg.work_dir = work_dir or cfg.get('work_dir') or str(Path('work_dirs') / Path(cfg.filename).stem)
    copy = Path(cfg.work_dir) / Path(cfg.filename).name
    if copy.is_file() and (copy.samefile(cfg.filename) if copy.suffix != '.py' else not _is_copy(copy)):
        raise ValueError(f"the run keeps a copy of all settings in its folder '{cfg.work_dir}', and it would replace "
                         f"'{copy}' there; name another folder by --work-dir")


def _is_copy(file: Path) -> bool:
    """Whether a config is made as a runner's copy is: names in order and literal values, no comment and no base."""
    with open(file, 'rb') as opened:
        try:
            tokens = list(tokenize.tokenize(opened.readline))
            statements = ast.parse(file.read_bytes()).body
        except (SyntaxError, ValueError, tokenize.TokenError):
            return False
    names = [statement.targets[0].id for statement in statements
             if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)]
    computed = (ast.BinOp, ast.JoinedStr, ast.Attribute, ast.Subscript, ast.ListComp, ast.DictComp, ast.IfExp)
    return (len(names) == len(statements) and names == sorted(names) and '_base_' not in names
            and not any(token.type == tokenize.COMMENT for token in tokens)
            and not any(isinstance(node, computed) for node in ast.walk(ast.Module(statements, []))))


def _move_data(cfg: Config, data_root: str) -> None:
    datasets = [part for loader in _parts(cfg, '_dataloader') for part in _nested(loader.get('dataset'))
                if part.get('data_root') is not None]
    roots = sorted({part.data_root for part in datasets})
    if len(roots) != 1:
        raise ValueError(f'--data-root moves the data sets of one folder, and those of this config have {roots or "none"}; '
                         'set the data_root of each by --cfg-options')
    for part in datasets:
        part.data_root = data_root
    old = os.path.join(roots[0], '')
    for evaluator in _parts(cfg, '_evaluator'):
        file = evaluator.get('ann_file')
        if isinstance(file, str) and file.startswith(old):
            evaluator.ann_file = os.path.join(data_root, file[len(old):])


def _parts(cfg: Config, ending: str) -> Iterator[Any]:
    """The dicts of a config whose names end so, one by one where there is a list of them."""
    for name, value in cfg.items():
        if name.endswith(ending):
            yield from (part for part in (value if isinstance(value, (list, tuple)) else [value]) if isinstance(part, dict))


def _nested(dataset: Any) -> Iterator[Any]:
    """A data set's config and those it wraps."""
    if isinstance(dataset, (list, tuple)):
        for part in dataset:
            yield from _nested(part)
    elif isinstance(dataset, dict):
        yield dataset
        yield from _nested(dataset.get('dataset'))
        yield from _nested(dataset.get('datasets'))
