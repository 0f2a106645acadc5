"""Writes ShapesCOCO to disk: all of it or nothing."""
import json
import multiprocessing
import os
import signal
import tempfile
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Union

import cv2
import numpy as np

from .annotations import CocoBuilder
from .crop import render_crop
from .scene import CLASSES, SceneObject, SceneParams, check_image_size, render_scene

RECORD_NAME = 'shapes.json'
FORMAT = 'shapes_coco'
#: Raise it whenever the same parameters would give other files than before.
FORMAT_VERSION = 2
JPEG_QUALITY = 90

#: Images from which on other processes are started.
_WORTH_WORKERS = 500

Progress = Callable[[int, int], None]
Map = Callable[[Callable, Iterable], Iterable]


def write_shapes_coco(root: Union[str, os.PathLike],
                      num_train: int = 2000,
                      num_val: int = 500,
                      image_size: int = 128,
                      num_cls_train: int = 5000,
                      num_cls_val: int = 1000,
                      cls_size: int = 48,
                      seed: int = 0,
                      progress: Optional[Progress] = None) -> bool:
    """Write the detection set and its classification view.

    The layout under ``root``::

        shapes.json                            parameters and format version
        train/000000.jpg  val/000000.jpg       detection images
        annotations/instances_{train,val}.json
        cls/{train,val}/<class>/000000.jpg     crops of single shapes

    Everything is made in a temporary folder beside ``root``, which is renamed
    at the end, so an interrupted run leaves no half-written set. An image
    depends on the seed, its split, its number and its size alone.

    Args:
        root (str | os.PathLike): Folder to make; it may exist if it is empty.
        num_train (int): Number of detection images for training, at least 1.
        num_val (int): Number of detection images for validation, at least 1.
        image_size (int): Their height and width in pixels, at least 32.
        num_cls_train (int): Number of crops for training, over all classes:
            0, or at least one per class.
        num_cls_val (int): Number of crops for validation, likewise.
        cls_size (int): Height and width of crops in pixels, at least 32.
        seed (int): 0 <= seed < 2**32.
        progress (Callable[[int, int], None], optional): Called after every
            image with the numbers of images done and to be done.

    Returns:
        bool: True if the set was written, False if ``root`` already holds the
        very same set.

    Raises:
        ValueError: If a parameter is out of range, or if ``root`` holds
            anything else than this set. Nothing is deleted then.
        OSError: If files cannot be written.
    """
    parameters = dict(
        num_train=num_train,
        num_val=num_val,
        image_size=image_size,
        num_cls_train=num_cls_train,
        num_cls_val=num_cls_val,
        cls_size=cls_size,
        seed=seed)
    _check_parameters(parameters)
    root = Path(root).resolve()
    if _is_written(root, parameters):
        return False
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
            prefix=f'.{root.name}.', suffix='.partial',
            dir=root.parent) as scratch:
        # A folder inside, because the scratch folder itself is private.
        staging = Path(scratch) / 'set'
        _write_all(staging, parameters, progress)
        try:
            if root.exists():
                root.rmdir()
            staging.rename(root)
        except OSError:
            # Another process may have been faster.
            if _is_written(root, parameters):
                return False
            raise
    return True


def _check_parameters(parameters: Dict[str, int]) -> None:
    for name, value in parameters.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f'{name} must be an integer, got {value!r}.')
    for name in ('num_train', 'num_val'):
        if parameters[name] < 1:
            raise ValueError(
                f'{name} must be at least 1, got {parameters[name]}.')
    for name in ('num_cls_train', 'num_cls_val'):
        if parameters[name] != 0 and parameters[name] < len(CLASSES):
            raise ValueError(
                f'{name} must be 0 or at least {len(CLASSES)}, one per class, '
                f'got {parameters[name]}.')
    for name in ('image_size', 'cls_size'):
        check_image_size(name, parameters[name])
    if not 0 <= parameters['seed'] < 2**32:
        raise ValueError(
            f'seed must lie in [0, 2**32), got {parameters["seed"]}.')


def _is_written(root: Path, parameters: Dict[str, int]) -> bool:
    """Whether ``root`` holds this set; raises if it holds something else."""
    if not root.exists():
        return False
    if not root.is_dir():
        raise ValueError(f'{root} is a file; name a new or an empty folder.')
    if not (root / RECORD_NAME).exists():
        if any(root.iterdir()):
            raise ValueError(
                f'{root} is not empty and holds no ShapesCOCO set; name a new '
                'or an empty folder.')
        return False
    found = _read_record(root / RECORD_NAME)
    wanted = dict(format_version=FORMAT_VERSION, **parameters)
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if differing:
        has = ', '.join(f'{name}={found.get(name)}' for name in differing)
        asked = ', '.join(f'{name}={wanted[name]}' for name in differing)
        raise ValueError(
            f'{root} already holds a ShapesCOCO set with {has} where {asked} '
            'was asked for; name another folder or delete that one first.')
    return True


def _read_record(path: Path) -> Dict[str, int]:
    """Format version and parameters of a written set."""
    try:
        record = json.loads(path.read_text(encoding='utf-8'))
        if record['format'] != FORMAT:
            raise KeyError('format')
        return dict(
            format_version=record['format_version'], **record['parameters'])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f'{path} was not written by this program or is damaged; name a '
            'new or an empty folder.') from error


def _write_all(root: Path, parameters: Dict[str, int],
               progress: Optional[Progress]) -> None:
    total = sum(
        value for name, value in parameters.items()
        if name.startswith('num_'))
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    (root / 'annotations').mkdir(parents=True)
    with _workers(total) as work:
        for split in ('train', 'val'):
            _write_scenes(root, split, parameters, work, advance)
            _write_crops(root, split, parameters, work, advance)
    record = dict(
        format=FORMAT, format_version=FORMAT_VERSION, parameters=parameters)
    _write_json(root / RECORD_NAME, record, indent=2)


def _write_scenes(root: Path, split: str, parameters: Dict[str, int], work: Map,
                  advance: Callable[[], None]) -> None:
    size = parameters['image_size']
    builder = CocoBuilder(f'ShapesCOCO {split}, seed {parameters["seed"]}')
    (root / split).mkdir()
    make = partial(_make_scene, root / split, SceneParams(image_size=size), parameters['seed'], split)
    for index, objects in enumerate(work(make, range(parameters[f'num_{split}']))):
        builder.add(_file_name(index), size, objects)
        advance()
    _write_json(root / 'annotations' / f'instances_{split}.json', builder.result())


def _make_scene(folder: Path, scene: SceneParams, seed: int, split: str, index: int) -> List[SceneObject]:
    image, objects = render_scene(scene, seed, split, index)
    _write_image(folder / _file_name(index), image)
    return objects


def _write_crops(root: Path, split: str, parameters: Dict[str, int], work: Map, advance: Callable[[], None]) -> None:
    stream = f'cls_{split}'
    number = parameters[f'num_{stream}']
    folder = root / 'cls' / split
    for name in CLASSES if number else ():
        (folder / name).mkdir(parents=True)
    make = partial(_make_crop, folder, parameters['cls_size'], parameters['seed'], stream)
    for _ in work(make, range(number)):
        advance()


def _make_crop(folder: Path, size: int, seed: int, stream: str, index: int) -> None:
    image, name = render_crop(size, seed, stream, index)
    _write_image(folder / name / _file_name(index), image)


def _file_name(index: int) -> str:
    return f'{index:06d}.jpg'


@contextmanager
def _workers(images: int) -> Iterator[Map]:
    """An ordered map over all cores; over this process alone where starting others would not pay."""
    cores = min(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1, 16)
    if cores == 1 or images < _WORTH_WORKERS:
        yield map
        return
    # A worker leaves signals to the parent, which ends it by SIGTERM.
    with multiprocessing.get_context('fork').Pool(cores, _start_worker) as pool:
        yield partial(pool.imap, chunksize=8)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)


def _write_image(path: Path, image: np.ndarray) -> None:
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, encoded = cv2.imencode('.jpg', image, quality)
    if not done:
        raise OSError(f'OpenCV could not encode {path.name} as JPEG.')
    path.write_bytes(encoded.tobytes())


def _write_json(path: Path, content: dict, indent: Optional[int] = None
                ) -> None:
    separators = None if indent else (',', ':')
    text = json.dumps(content, indent=indent, separators=separators)
    path.write_text(text, encoding='utf-8')
