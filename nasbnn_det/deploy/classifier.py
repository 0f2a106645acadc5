"""What a packed file says of a classifier, so that it stands by itself."""
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch
from mmengine.config import Config
from torch import nn

from ..costs.report import input_size
from ..runtime.file import PackedFile
from ..runtime.native_network import prepare
from ..runtime.torch_classifier import TorchClassifier


def is_classifier(model: nn.Module) -> bool:
    """Whether a model is made as MMPretrain's classifiers: a linear layer behind a backbone."""
    return isinstance(getattr(getattr(model, 'head', None), 'fc', None), nn.Linear)


def describe_classifier(model: nn.Module, packed: PackedFile) -> Tuple[Dict[str, Any], Dict[str, Any]]:
    """Describes a classifier.

    Args:
        model (nn.Module): The packed model of MMPretrain.
        packed (PackedFile): Its chains and state.

    Returns:
        tuple: The network's description, and how an image of the network's own size becomes its input; resizing and cropping
        are the application's.

    Raises:
        ValueError: If it is more than a backbone, an average over pixels and a linear layer, or its data preprocessor does
            more than to swap channels, subtract and divide.
    """
    settings = TorchClassifier.describe(packed)
    network = PackedFile(packed.chains, packed.state, dict(network=settings))
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, 64, 96, generator=generator)
    with torch.inference_mode():
        found, want = TorchClassifier.from_file(network)(image), model(image, mode='tensor')
        if found.shape != want.shape or not torch.allclose(found, want, rtol=1e-4, atol=1e-4):
            raise ValueError('the model computes other logits than its backbone, an average and a linear layer')
        preprocessing = _preprocessing(model.data_preprocessor)
        pixels = torch.randint(0, 256, (3, 64, 96), dtype=torch.uint8, generator=generator)
        want = model.data_preprocessor(dict(inputs=[pixels]))['inputs']
        found = prepare(preprocessing, np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())).planes
        if not np.array_equal(found, want[0].numpy()):
            raise ValueError('its data preprocessor does more than to swap channels, subtract and divide')
    return settings, preprocessing


def size_of_tests(cfg: Config) -> Optional[List[int]]:
    """Width and height of a config's test images, None if it does not say."""
    try:
        return list(input_size(cfg)[::-1])
    except ValueError:
        return None


def _preprocessing(preprocessor: nn.Module) -> Dict[str, Any]:
    given = {name: getattr(preprocessor, name).flatten().tolist() for name in ('mean', 'std')
             if isinstance(getattr(preprocessor, name, None), torch.Tensor)}
    return dict(scale=None, keep_ratio=True, pad_size=None, pad_value=[0, 0, 0],
                **dict(dict(mean=[0, 0, 0], std=[1, 1, 1]), **given), to_rgb=bool(getattr(preprocessor, 'to_rgb', False)),
                divisor=int(getattr(preprocessor, 'pad_size_divisor', 1) or 1))
