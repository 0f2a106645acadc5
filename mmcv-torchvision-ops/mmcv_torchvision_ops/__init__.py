"""Provides ``mmcv._ext`` where the installed mmcv has no compiled operators.

The file ``mmcv_torchvision_ops.pth`` beside this package calls :func:`install` when Python starts. It puts a finder behind
all others, so a compiled ``mmcv._ext`` is found first, in whatever order things are installed and wherever mmcv lies, and
nothing is ever written into mmcv's own folder. Starting costs nothing: torch is imported only with the operators.
"""
import sys

__version__ = '0.1.0'


class OperatorsFinder:
    """Finds the module ``mmcv._ext`` when no other finder did."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        """The module's spec, or None for any other module. The arguments are importlib's."""
        if name != 'mmcv._ext':
            return None
        from importlib.util import spec_from_file_location
        return spec_from_file_location(name, f'{__path__[0]}/operators.py')


def install() -> None:
    """Puts the finder behind all others, once."""
    if OperatorsFinder not in sys.meta_path:
        sys.meta_path.append(OperatorsFinder)
