"""The recorded supernet's checkpoint, in the public release's layout, from its two small files in ``data/reference``.

Its convolutions and its classifier hold what a linear layer of torch is initialised with, numbers of a Mersenne Twister:
``narrow_drawn.json`` says where each tensor's begin. All other tensors are in ``narrow_weights.npz`` as they are.
"""
import hashlib
import json
import math
from pathlib import Path

import numpy as np


def write_checkpoint(folder: Path, path: Path) -> Path:
    """Writes the checkpoint to ``path``; it is the recorded one bit by bit, or a ValueError says that it is not.

    Args:
        folder (Path): Where the two files are.
        path (Path): Where to write.
    """
    import torch
    drawn = json.loads((folder / 'narrow_drawn.json').read_text())
    with np.load(folder / 'narrow_weights.npz') as file:
        arrays = {name: file[name] for name in file.files}
    last = max(entry['first'] + math.prod(entry['shape']) for entry in drawn['drawn'].values())
    state = np.random.RandomState(1).get_state(legacy=False)
    generator = np.random.MT19937()
    generator.state = state
    stream = generator.random_raw(last)
    for name, entry in drawn['drawn'].items():
        numbers = stream[entry['first']:entry['first'] + math.prod(entry['shape'])]
        arrays[name] = _uniform(numbers, math.prod(entry['shape'][1:])).reshape(entry['shape'])
    state = {name: torch.from_numpy(arrays[name]) for name in drawn['order']}
    found = hashlib.sha256(b''.join(arrays[name].tobytes() for name in drawn['order'])).hexdigest()
    if found != drawn['sha256']:
        raise ValueError(f"the weights made from '{folder}' are not the recorded ones: their SHA-256 is {found}")
    torch.save(dict(epoch=1, arch='superbnn', state_dict=state, optimizer={}, scheduler={}), path)
    return path


def _uniform(numbers: np.ndarray, fan_in: int) -> np.ndarray:
    """Numbers in +-1/sqrt(fan_in), from the low 24 bits of a generator's, rounded to float32 once."""
    low, high = np.float32(-1 / math.sqrt(fan_in)), np.float32(1 / math.sqrt(fan_in))
    parts = (numbers & 0xffffff).astype(np.float64) / 2**24
    return (parts * float(high - low) + float(low)).astype(np.float32)
