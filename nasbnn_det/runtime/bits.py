"""Signs as bits: bit 1 is +1, bit 0 is -1, the first channel in the lowest bit of the first word."""
import numpy as np
import torch
from torch import Tensor

#: Bits of a word, and output channels of a tile.
WORD = 32


def words_of(channels: int) -> int:
    """Words that hold the bits of so many channels."""
    return -(-channels // WORD)


def pack_words(bits: Tensor) -> Tensor:
    """Packs the last dimension into words.

    Args:
        bits (Tensor): Bool, shape (..., C).

    Returns:
        Tensor: int32, shape (..., ceil(C / 32)); bits behind the last channel are 0.
    """
    padded = torch.zeros(*bits.shape[:-1], words_of(bits.shape[-1]) * WORD, dtype=torch.bool)
    padded[..., :bits.shape[-1]] = bits
    data = np.packbits(padded.numpy(), axis=-1, bitorder='little')
    return torch.from_numpy(np.ascontiguousarray(data).view('<i4').astype(np.int32))


def unpack_words(words: Tensor, channels: int) -> Tensor:
    """The inverse of :func:`pack_words`.

    Args:
        words (Tensor): int32, shape (..., ceil(C / 32)).
        channels (int): C.

    Returns:
        Tensor: Bool, shape (..., C).
    """
    data = np.ascontiguousarray(words.numpy()).astype('<i4').view(np.uint8)
    return torch.from_numpy(np.unpackbits(data, axis=-1, bitorder='little')[..., :channels].astype(bool))


def count_ones(words: Tensor) -> Tensor:
    """Ones in the last dimension.

    Args:
        words (Tensor): int32, shape (..., W).

    Returns:
        Tensor: int32, shape (...).
    """
    data = np.ascontiguousarray(words.numpy()).view(np.uint8)
    return torch.from_numpy(_ONES[data].sum(-1, dtype=np.int32))


_ONES = np.array([bin(byte).count('1') for byte in range(256)], np.uint8)
