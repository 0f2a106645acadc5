"""How a config's test pipeline prepares images, as a packed file describes it; compared once with the pipeline itself."""
import copy
import json
import tempfile
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import TRANSFORMS
from torch import nn

from ..runtime.native_network import prepare
from ..runtime.preprocess import read_image

_LOADERS = ('LoadImage', 'LoadImageFromFile')
_WITHOUT_EFFECT = ('LoadAnnotations', 'PackDetInputs', 'PackInputs')
#: What a step of the pipeline may say that a packed file describes.
_DESCRIBED = {'Resize': {'scale', 'keep_ratio'}, 'Pad': {'size', 'pad_val'}}


def read_preprocessing(cfg: Config, model: nn.Module) -> Dict[str, Any]:
    """What a config's test pipeline and data preprocessor do to an image.

    The result and they themselves prepare a few made images, of all kinds that readers of images treat differently, and
    must agree in every bit.

    Args:
        cfg (Config): The config; it is not changed.
        model (nn.Module): Its model, whose data preprocessor is used.

    Returns:
        dict: As :func:`nasbnn_det.runtime.native_network.prepare` takes it: ``scale``, width and height that the image is
        resized to, or None; ``keep_ratio``, whether it is resized to fit inside; ``pad_size``, width and height it is
        padded to at the right and bottom, or None, with ``pad_value``, BGR; ``mean`` and ``std``, in the network's order of
        colours; ``to_rgb``; ``divisor``, after normalisation it is padded with zeros to a multiple of this.

    Raises:
        ValueError: If they do what a packed file has no words for.
    """
    steps = _test_pipeline(cfg)
    normalise = cfg.model.get('data_preprocessor') or {}
    found: Dict[str, Any] = dict(
        scale=None, keep_ratio=True, pad_size=None, pad_value=[0, 0, 0],
        mean=normalise.get('mean', [0, 0, 0]), std=normalise.get('std', [1, 1, 1]),
        to_rgb=normalise.get('bgr_to_rgb', normalise.get('to_rgb', False)), divisor=normalise.get('pad_size_divisor', 1))
    for step in steps:
        kind = _kind(step)
        if kind in _DESCRIBED and not _DESCRIBED[kind] & set(step) or kind not in (*_DESCRIBED, *_LOADERS, *_WITHOUT_EFFECT):
            raise ValueError(f'its test pipeline has the step {_text(step)}, which a packed file has no words for')
        if kind == 'Resize' and 'scale' in step:
            scale = step['scale']
            found.update(scale=[scale, scale] if isinstance(scale, int) else scale, keep_ratio=step.get('keep_ratio', False))
        elif kind == 'Pad' and 'size' in step:
            value = step.get('pad_val', 0)
            value = value.get('img', 0) if isinstance(value, dict) else value
            found.update(pad_size=step['size'], pad_value=[value] * 3 if isinstance(value, (int, float)) else value)
    found = json.loads(json.dumps(found))
    prepare(found, np.zeros((8, 8, 3), np.uint8))  # says what is wrong with the description
    try:
        agree = _agree(found, steps, model)
    except Exception as error:  # a step may be anybody's
        raise ValueError(f'its test pipeline and data preprocessor fail on made images ({type(error).__name__}: {error})'
                         ) from error
    if not agree:
        raise ValueError('its test pipeline and data preprocessor prepare images in another way than a packed file can say: '
                         + ', '.join(map(_text, steps)))
    return found


def _kind(step: Dict[str, Any]) -> str:
    kind = step['type']
    return (kind if isinstance(kind, str) else kind.__name__).rpartition('.')[2]


def _text(step: Dict[str, Any]) -> str:
    options = ', '.join(f'{key}={value!r}' for key, value in step.items() if key != 'type')
    return f'{_kind(step)}({options})'


def _test_pipeline(cfg: Config) -> List[Dict[str, Any]]:
    """The pipeline of the test set, or that of all sets it wraps."""
    pipelines = list(_pipelines(cfg.get('test_dataloader', {}).get('dataset') or {}))
    if not pipelines or any(pipeline != pipelines[0] for pipeline in pipelines):
        raise ValueError(f'its test_dataloader has {len(pipelines)} pipelines, and those differ' if pipelines else
                         'its test_dataloader has no pipeline')
    return [copy.deepcopy(dict(step)) for step in pipelines[0]]


def _pipelines(dataset: Any) -> Iterator[List[Dict[str, Any]]]:
    parts = dataset.get('datasets') or [dataset['dataset']] if 'dataset' in dataset or 'datasets' in dataset else []
    if parts and dataset.get('pipeline'):
        raise ValueError(f'its test set is a {_kind(dataset)} with a pipeline of its own around that of another set')
    for part in parts:
        yield from _pipelines(part)
    if dataset.get('pipeline'):
        yield dataset['pipeline']


def _agree(described: Dict[str, Any], steps: List[Dict[str, Any]], model: nn.Module) -> bool:
    """Whether made images become the same input, with the same size and factors."""
    steps = [step for step in steps if _kind(step) != 'LoadAnnotations']
    for step in steps:
        step.pop('backend_args', None)  # where files lie is no matter of what is in them
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    with tempfile.TemporaryDirectory() as folder:
        for file in _made_images(Path(folder)):
            data = pipeline(dict(img_path=str(file), img_id=0))
            want = model.data_preprocessor(dict(inputs=[data['inputs']], data_samples=[data['data_samples']]), False)
            x, size, scale = prepare(described, read_image(file))
            sample = want['data_samples'][0]
            inputs = want['inputs'].cpu().numpy()
            if x[None].shape != inputs.shape or x.dtype != inputs.dtype or not bool((x == inputs[0]).all()):
                return False
            factors = getattr(sample, 'scale_factor', (1.0, 1.0))
            if size != tuple(sample.img_shape[:2]) or not np.allclose(scale, factors, rtol=1e-6, atol=0):
                return False
    return True


def _made_images(folder: Path) -> Iterator[Path]:
    """Image files of several proportions, in colour, grey, transparent and turned by a camera's mark."""
    from PIL import Image
    rng = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        return rng.integers(0, 256, shape, dtype=np.uint8)

    for i, (height, width) in enumerate(((61, 90), (97, 40), (401, 300), (500, 701))):
        path = folder / f'{i}.png'
        cv2.imwrite(str(path), noise(height, width, 3))
        yield path
    smooth = cv2.resize(noise(6, 8, 3), (120, 90), interpolation=cv2.INTER_CUBIC)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation
    files: List[Tuple[str, Any, Dict[str, Any]]] = [
        ('photograph.jpg', smooth, {}), ('turned.jpg', smooth, dict(exif=turned)), ('grey.png', noise(50, 70), {}),
        ('grey_transparent.png', noise(50, 70, 2), {}), ('transparent.png', noise(50, 70, 4), {})]
    for name, pixels, options in files:
        Image.fromarray(pixels).save(folder / name, **options)
        yield folder / name
