"""Make the data set ShapesCOCO: images of five shapes, COCO annotations, and crops for classification."""
import argparse
import inspect
import signal
import sys
from typing import Any, Dict, List, NoReturn, Optional

from nasbnn_det.datasets.shapes import write_shapes_coco

# What to say about each setting of write_shapes_coco.
OPTIONS = dict(
    num_train='detection images for training, at least 1',
    num_val='detection images for validation, at least 1',
    image_size='height and width of detection images in pixels, at least 32',
    num_cls_train='crops for training: 0, or at least one per class',
    num_cls_val='crops for validation, likewise',
    cls_size='height and width of crops in pixels, at least 32',
    seed='same seed, same set; 0 to 2**32 - 1')
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(1, f'error: {message}\n')


class ProgressLine:
    """One line that is rewritten; where the output is no terminal, a line after every tenth of the work."""

    def __init__(self) -> None:
        self._rewrites = sys.stdout.isatty()
        self._shown = -1
        self._stopped = False

    def stop(self, *_: object) -> None:
        """Signal handler: ends the work after the image being made.

        An exception raised in the handler itself can be lost inside a library's compiled code.
        """
        self._stopped = True

    def __call__(self, done: int, total: int) -> None:
        """Show the progress.

        Args:
            done (int): Images that are made.
            total (int): Images to make.
        """
        if self._stopped:
            raise KeyboardInterrupt
        step = (100 if self._rewrites else 10) * done // total
        if step == self._shown:
            return
        self._shown = step
        end = '' if self._rewrites and done < total else '\n'
        start = '\r' if self._rewrites else ''
        print(f'{start}{done} of {total} images ({100 * done // total} %)', end=end, flush=True)

    def close(self) -> None:
        """End a line that is still being rewritten."""
        if self._rewrites and 0 <= self._shown < 100:
            print(flush=True)


def parse_args(argv: Optional[List[str]] = None) -> Dict[str, Any]:
    """Read the command line.

    Args:
        argv (List[str], optional): Arguments; those of the process by default.

    Returns:
        Dict[str, Any]: ``out``, and the keys of :data:`OPTIONS`.
    """
    parser = _Parser(description=__doc__)
    parser.add_argument('--out', required=True, metavar='DATA_ROOT', help='folder to make; it may exist if empty')
    settings = inspect.signature(write_shapes_coco).parameters
    for name, text in OPTIONS.items():
        default = settings[name].default
        parser.add_argument('--' + name.replace('_', '-'), type=int, default=default, metavar='N',
                            help=f'{text}; default: {default}')
    return vars(parser.parse_args(argv))


def main(argv: Optional[List[str]] = None) -> int:
    """Make the set.

    Args:
        argv (List[str], optional): Arguments; those of the process by default.

    Returns:
        int: Exit status: 0 if the set is there, 1 on an error, 130 if interrupted.
    """
    arguments = parse_args(argv)
    out = arguments.pop('out')
    progress = ProgressLine()
    # SIGTERM is what `kill`, `timeout` and `docker stop` send; no temporary folder stays behind then either.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, progress.stop)
    try:
        written = write_shapes_coco(out, progress=progress, **arguments)
    except KeyboardInterrupt:
        progress.close()
        print('interrupted, nothing was written', file=sys.stderr)
        return _INTERRUPTED
    except (ValueError, OSError, RuntimeError) as error:
        progress.close()
        print(f'error: {error}', file=sys.stderr)
        return 1
    print(f'{out}: ' + ('written' if written else 'this very set is already there'))
    return 0


if __name__ == '__main__':
    sys.exit(main())
