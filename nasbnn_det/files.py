"""Files that are whole or not there: written beside their place, then moved. Imports the standard library only."""
import os
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, Union


@contextmanager
def replacing(path: Union[str, os.PathLike]) -> Iterator[Path]:
    """Gives a path to write to; on a clean exit that file takes the place of ``path`` at once, else it is removed.

    Args:
        path: The file to write or replace. Its folder is made if missing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + '.part')
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


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
    """Writes a text file, UTF-8, at once."""
    with replacing(path) as part:
        part.write_text(text, encoding='utf-8')
