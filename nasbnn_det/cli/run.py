"""How the command line tools end: bad input in one sentence, anything else with its traceback."""
import re
import sys
from pathlib import Path
from typing import Callable, Optional

from .launch import end_processes

_PACKAGE = Path(__file__).resolve().parents[1]
#: Of the system: the path that was named can't be used.
_PATHS = (FileNotFoundError, PermissionError, NotADirectoryError, IsADirectoryError)


def run_tool(main: Callable[[], None]) -> None:
    """Runs a tool and ends its processes; what says "bad input" becomes one line on stderr and exit status 1.

    That is a ValueError of ours, or the system's word that a path can't be used, also when a worker process of a data
    loader raised it; and that such a process was killed.
    MMEngine wraps errors of components it builds into longer ones of the same type; the first line is kept.

    Args:
        main (Callable): The tool.
    """
    try:
        main()
        end_processes()
    except (ValueError, OSError, RuntimeError) as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        print(f'error: {" ".join(sentence.split())}', file=sys.stderr)
        sys.exit(1)


def _sentence(error: BaseException) -> Optional[str]:
    """What to say; None if the error is no bad input."""
    text = str(error)
    if re.match(r'Caught \w+ in .*\.\nOriginal Traceback', text):
        return _raised_in_worker(text) if isinstance(error, (ValueError, *_PATHS)) else None
    if isinstance(error, RuntimeError) and re.match(r'DataLoader worker \(pid', text):
        return (f'{text.splitlines()[0]}: a worker process of a data loader was ended from outside, most often for want of '
                'memory; lower num_workers or batch_size of the loader')
    if isinstance(error, _PATHS) or (isinstance(error, ValueError) and _is_ours(error)):
        return text
    return None


def _raised_in_worker(text: str) -> Optional[str]:
    """The sentence at the end of a worker's traceback, if we or the system raised it there."""
    files = re.findall(r'^  File "(.+)", line \d+, in ', text, re.MULTILINE)
    name, sentence = re.findall(r'^(\w+): (.*(?:\n(?!  File ).*)*)', text, re.MULTILINE)[-1]
    ours = bool(files) and _PACKAGE in Path(files[-1]).resolve().parents
    return sentence if ours or name in [kind.__name__ for kind in _PATHS] else None


def _is_ours(error: BaseException) -> bool:
    """Whether the error was raised in this package or in the tool itself, at the innermost frame."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get('__name__', '')
    return name == '__main__' or 'nasbnn_det' in name
