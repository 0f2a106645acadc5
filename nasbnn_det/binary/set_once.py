"""Layers whose values are set from the first batch that they are trained on."""
from typing import Any

import torch
from torch import nn


class SetOnce(nn.Module):
    """Remembers in a buffer, and so in every checkpoint, whether a layer's values have been set.

    The buffer may lie on a GPU, and asking it makes the host wait. Once it said yes, a plain attribute knows.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known_set = False
        self.register_buffer('value_is_set', torch.tensor(False))

    def is_set(self) -> bool:
        """Whether the values have been set, here or in what was loaded."""
        # Only a yes is kept: moving averages copy the buffer without a word.
        self._known_set = self._known_set or bool(self.value_is_set)
        return self._known_set

    def mark_set(self) -> None:
        """Says that the values are set now."""
        self.value_is_set.fill_(True)
        self._known_set = True

    def _load_from_state_dict(self, *args: Any) -> None:
        super()._load_from_state_dict(*args)
        self._known_set = False
