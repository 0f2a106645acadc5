"""How the command line tools end: bad input in one sentence, anything else with its traceback."""
import sys
from typing import Callable


def run_tool(main: Callable[[], None]) -> None:
    """Runs a tool; a ValueError of ours or a FileNotFoundError, the ways to say "bad input", becomes one line on stderr.

    MMEngine wraps errors of components it builds into longer ones of the same type; the first line is kept.

    Args:
        main (Callable): The tool.
    """
    try:
        main()
    except (ValueError, FileNotFoundError) as error:
        if not isinstance(error, FileNotFoundError) and not _is_ours(error):
            raise
        print(f'error: {_first_sentence(error)}', file=sys.stderr)
        sys.exit(1)


def _is_ours(error: BaseException) -> bool:
    """Whether the error was raised in this package or in the tool itself, at the innermost frame."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    name = trace.tb_frame.f_globals.get('__name__', '')
    return name == '__main__' or 'nasbnn_det' in name


def _first_sentence(error: BaseException) -> str:
    return ' '.join(str(error).split())
