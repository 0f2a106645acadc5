"""A user whose id has no name, as in a container that was started with a number. Imports the standard library only."""
import getpass
import os
import tempfile
from pathlib import Path


def choose_cache_folder() -> None:
    """Names the folder that PyTorch asks for when torchvision is imported, where that would fail for want of a user's name.

    It is PyTorch's own default, with the number in place of the name. A folder that the environment names stays.
    """
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        folder = Path(tempfile.gettempdir(), f'torchinductor_{os.getuid()}')
        os.environ.setdefault('TORCHINDUCTOR_CACHE_DIR', str(folder))
