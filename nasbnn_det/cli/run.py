"""How the command line tools end: bad input in one sentence, anything else with its traceback."""
import errno
import io
import re
import sys
from pathlib import Path
from typing import Callable, Optional

from .launch import end_processes

_PACKAGE = Path(__file__).resolve().parents[1]
#: Of the system: the path that was named can't be used.
_PATHS = (FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError, IsADirectoryError)
#: The same without a class of its own: no room, nothing may be written, a name is too long or leads in a circle.
_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP)


def run_tool(main: Callable[[], None]) -> None:
    """Runs a tool and ends its processes; what says "bad input" becomes one line on stderr and exit status 1.

    That is a ValueError of ours, or the system's word that a path can't be used, also when a worker process of a data
    loader raised it; that such a process was killed; and what MMEngine and MMPretrain say of an unknown type or key in a
    config and of a folder without images.
    MMEngine wraps errors of components it builds into longer ones of the same type; the first line is kept.

    Args:
        main (Callable): The tool.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # a terminal without a letter of a class's name ends no run
    try:
        main()
        end_processes()
    except (ValueError, OSError, RuntimeError, KeyError, TypeError) as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        print(f'error: {" ".join(sentence.split())}', file=sys.stderr)
        sys.exit(1)


def _sentence(error: BaseException) -> Optional[str]:
    """What to say; None if the error is no bad input."""
    text = str(error)
    if re.match(r'Caught \w+ in .*\.\nOriginal Traceback', text):
        return _raised_in_worker(text) if isinstance(error, (ValueError, OSError)) else None
    if isinstance(error, RuntimeError) and re.match(r'DataLoader worker \(pid', text):
        return (f'{text.splitlines()[0]}: a worker process of a data loader was ended from outside, most often for want of '
                'memory; lower num_workers or batch_size of the loader')
    if isinstance(error, RuntimeError) and text.startswith('Found 0 files in subfolders of'):
        return text
    if isinstance(error, TypeError) and re.search(r'__init__\(\) (got an unexpected keyword|missing \d+ required)', text):
        return text if _raised_in(error) == 'mmengine.registry.build_functions' else None
    if isinstance(error, KeyError) and re.search(r'is not in the .* registry', text):
        return str(error.args[0])
    if isinstance(error, OSError) and (isinstance(error, _PATHS) or error.errno in _NUMBERS):
        return text
    return text if isinstance(error, ValueError) and _is_ours(error) else None


def _raised_in_worker(text: str) -> Optional[str]:
    """The sentence at the end of a worker's traceback, if we or the system raised it there."""
    files = re.findall(r'^  File "(.+)", line \d+, in ', text, re.MULTILINE)
    raised = re.findall(r'^(\w+): (.*(?:\n(?!  File ).*)*)', text, re.MULTILINE)
    if not raised:
        return None
    name, sentence = raised[-1]
    ours = bool(files) and _PACKAGE in Path(files[-1]).resolve().parents
    number = re.match(r'\[Errno (\d+)\]', sentence)
    system = name in [kind.__name__ for kind in _PATHS] or (number is not None and int(number[1]) in _NUMBERS)
    return sentence if ours or system else None


def _is_ours(error: BaseException) -> bool:
    """Whether the error was raised in this package or in the tool itself."""
    name = _raised_in(error)
    return name == '__main__' or 'nasbnn_det' in name


def _raised_in(error: BaseException) -> str:
    """The module of the innermost frame."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_globals.get('__name__', '') if trace is not None else ''
