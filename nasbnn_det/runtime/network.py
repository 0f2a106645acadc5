"""What packed networks have in common: a file alone, no config, no PyTorch."""
import os
from typing import Any, Optional, Tuple, Type, Union

from .native_network import NativeNetwork, Prepared
from .preprocess import read_image


class PackedNetwork:
    """A network of a packed file, on a CPU.

    Several threads may call it at once. It can be pickled, if its file stays where it is, and works in forked processes.

    Args:
        file: A packed file; or its bytes.
        threads (int, optional): At most so many threads for a call. Defaults to None: ``OMP_NUM_THREADS`` if that is set,
            else as many as the process may use CPUs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no packed file, is damaged, or is of another kind of network or of one that needs its config; or
            threads is no number from 1 to 1024.
        RuntimeError: If the kernels are not compiled and can't be.
    """
    #: What holds it in the library.
    NATIVE: Type[NativeNetwork]

    def __init__(self, file: Union[str, os.PathLike, bytes], threads: Optional[int] = None) -> None:
        if threads is not None and (type(threads) is not int or not 1 <= threads <= 1024):
            raise ValueError(f'threads is {threads!r}; allowed are None and integers from 1 to 1024')
        self._made_of = file, threads
        self._native = self.NATIVE(file, threads or 0)

    def __reduce__(self) -> Tuple[Any, ...]:
        return type(self), self._made_of

    def prepare(self, image: Any) -> Prepared:
        """The network's input of an image: a file; an array or a tensor of BGR, uint8, shape (H, W, 3); or a Pillow image.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the image can't be read or has another form, or the packed file does not say how it is prepared.
        """
        return self._native.prepare(read_image(image))
