"""What a network is, kept beside its weights: a buffer of JSON bytes, so that every checkpoint says it, whoever wrote it.

Keys and shapes tell little: the same weights under another rule of binarisation, or with another stride, compute other
numbers without a word. Loading compares the whole value instead.
"""
import json
from typing import Any, Dict

import torch
from torch import Tensor


def encode(value: Dict[str, Any]) -> Tensor:
    """JSON as bytes, uint8, 1-d; equal for equal values."""
    return torch.tensor(list(json.dumps(value, sort_keys=True).encode()), dtype=torch.uint8)


def decode(identity: Tensor) -> Dict[str, Any]:
    """Inverse of :func:`encode`.

    Raises:
        ValueError: If the bytes are no JSON object.
    """
    try:
        value = json.loads(bytes(identity.tolist()).decode())
    except (UnicodeDecodeError, json.JSONDecodeError, TypeError, ValueError) as error:
        raise ValueError(f'the bytes that say what the network is are damaged ({error})') from error
    if not isinstance(value, dict):
        raise ValueError('the bytes that say what the network is hold no JSON object')
    return value
