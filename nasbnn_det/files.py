"""Files that are whole or not there, and read by others as such. Imports the standard library only."""
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, Union


@contextmanager
def replacing(path: Union[str, os.PathLike]) -> Iterator[Path]:
    """Gives a path to write to; on a clean exit that file takes the place of ``path`` at once, else it is removed.

    Args:
        path: The file to write or replace. Its folder is made if missing.

    Raises:
        ValueError: If it is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"'{path}' is a folder; name a file to write")
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own: no name beside the file is sure to be free.
    folder = tempfile.mkdtemp(prefix=f'.{path.name[:60]}.', dir=path.parent)
    try:
        yield Path(folder, path.name)
        os.replace(Path(folder, path.name), path)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Union[str, os.PathLike], wait: bool = True) -> Iterator[bool]:
    """Holds other processes off that ask for the same lock; a process that dies lets go.

    Args:
        path: The lock's own file, which is made and stays.
        wait (bool): Waits for whoever has it. Defaults to True.

    Yields:
        bool: Whether this process has the lock; always, if it waits.
    """
    import fcntl  # not on every system
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def replace_text(path: Union[str, os.PathLike], text: str) -> None:
    """Writes a text file, UTF-8, at once; bytes of a command line that no locale explained are written as they came."""
    with replacing(path) as part:
        part.write_text(text, encoding='utf-8', errors='surrogateescape')


def result_file(folder: Union[str, os.PathLike]) -> Path:
    """Where a tool leaves its ``result.json``; asked before the work, so that nobody's file is lost after it.

    Args:
        folder: The folder of the run.

    Raises:
        ValueError: If a file of that name is there that no tool of this project wrote.
    """
    path = Path(folder, 'result.json')
    try:
        ours = not path.exists() or bool({'metrics', 'ops'} & set(dict(json.loads(path.read_text(encoding='utf-8')))))
    except (ValueError, TypeError, IsADirectoryError):
        ours = False
    if not ours:
        raise ValueError(f"'{path}' is there already and no result of this project, which would replace it; name another "
                         'folder')
    return path


def read_log(path: Union[str, os.PathLike]) -> List[Dict[str, Any]]:
    """The rows of a file with a JSON object a line; what a killed process was writing is left out.

    Args:
        path: Such as the ``scalars.json`` of a training.
    """
    rows = []
    for line in Path(path).read_text(encoding='utf-8', errors='replace').splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in rows if isinstance(row, dict)]
