"""Images decoded once: into this process's memory, or into a file that all processes of a node read."""
import fcntl
import hashlib
import json
import os
import pickle
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from torch import Tensor
from torch.utils.data import DataLoader

from .loading import decoding_loader

_Labels = List[List[int]]


@dataclass(frozen=True)
class ImageCache:
    """Where a search keeps its decoded images.

    Args:
        folder (str | Path, optional): Holds a folder for each set of images that is kept in a file, as large as the
            images as bytes: 7.5 GB for 50,000 of 224 px. It should lie on a local disk; it may be deleted whenever
            nothing runs. Defaults to None: everything stays in memory.
        memory (float): Bytes up to which a set of images stays in the memory of a process that runs alone. Processes
            that run together always share a file. Defaults to 1 GiB.

    Raises:
        ValueError: If ``memory`` is negative.
    """
    folder: Union[str, Path, None] = None
    memory: float = 1 << 30

    def __post_init__(self) -> None:
        if self.memory < 0:
            raise ValueError(f'memory of the image cache is {self.memory}; bytes must be 0 or more')


class StoredImages:
    """Decoded images of one size, with their labels; read a batch at a time.

    A file is read, not mapped: its pages are the system's cache, which all processes share and none owns.

    Args:
        source (np.ndarray | Path): All images, shape (N, C, H, W); or the folder that :func:`store_images` wrote.
        labels (list[list[int]], optional): Of each image; a folder has its own. Defaults to None.
    """

    def __init__(self, source: Union[np.ndarray, Path], labels: Optional[_Labels] = None) -> None:
        self._array = self._file = None
        if isinstance(source, np.ndarray):
            self._array, self.shape, self.dtype, self.labels = source, source.shape, source.dtype, labels
        else:
            index = json.loads((source / 'index.json').read_text(encoding='utf-8'))
            self.shape, self.dtype, self.labels = tuple(index['shape']), np.dtype(index['dtype']), index['labels']
            self._file = open(source / 'images', 'rb', buffering=0)

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def nbytes(self) -> int:
        """Size of all images."""
        return int(np.prod(self.shape)) * self.dtype.itemsize

    def read(self, start: int, stop: int) -> Tensor:
        """Images ``start`` to ``stop``, as many as there are: shape (n, C, H, W), in memory of their own."""
        stop = min(stop, len(self))
        if self._array is not None:
            return torch.from_numpy(self._array[start:stop].copy())
        each = int(np.prod(self.shape[1:]))
        self._file.seek(start * each * self.dtype.itemsize)
        found = np.fromfile(self._file, self.dtype, (stop - start) * each)
        return torch.from_numpy(found.reshape(stop - start, *self.shape[1:]))


def store_images(name: str, dataloader: DataLoader, indices: Sequence[int], cache: ImageCache, identity: Any = None,
                 seed: int = 0) -> StoredImages:
    """Decodes some images of a data set, unless an earlier run has left them in the cache's folder.

    One process of each node writes the file while the others wait. It gets its name when it is complete, so that what a
    killed process leaves is never taken for it; and its name is a hash of the config, of what the data set says about
    each image, and of the files' sizes and times, so that other images are never taken for these.

    Args:
        name (str): What the images are for; begins the file's name and the lines of the log.
        dataloader (DataLoader): Its data set, collation, batch size and workers are taken.
        indices (Sequence[int]): Which images, in which order.
        cache (ImageCache): Where to keep them.
        identity (Any): What the images depend on beside their files: the config of data set and pipeline, as JSON.
            Defaults to None.
        seed (int): Of random augmentation. Defaults to 0.

    Raises:
        ValueError: If the images differ in size, or the disk is too small.
    """
    loader = decoding_loader(dataloader, indices, seed)
    dataset = dataloader.dataset
    folder = None
    # Without facts about each image nobody can tell whether a file is still right.
    if cache.folder is not None and hasattr(dataset, 'get_data_info'):
        folder = Path(cache.folder) / f'{name}-{_hash(dataset, indices, identity)}'
    start = time.monotonic()
    if folder is not None and folder.is_dir():
        how = f'found in {folder}'
    elif folder is not None and get_world_size() > 1:
        with _locked(folder):
            if not folder.is_dir():
                _write(folder, _decoded(loader, name), len(indices))
        how = f'in {folder}'
    else:
        batches = _decoded(loader, name)
        first = next(batches)
        size = first[0][0].nbytes * len(indices)
        if folder is None or size <= cache.memory:
            stored = _collect(chain([first], batches), len(indices))
            return _told(name, stored, 'in memory', start)
        with _locked(folder):
            if not folder.is_dir():
                _write(folder, chain([first], batches), len(indices))
        how = f'in {folder}'
    return _told(name, StoredImages(folder), how, start)


def _told(name: str, stored: StoredImages, how: str, start: float) -> StoredImages:
    size = ' x '.join(map(str, stored.shape[1:]))
    print_log(f'{name}: {len(stored)} images of {size}, {stored.nbytes / 1e9:.2f} GB {how}, after '
              f'{time.monotonic() - start:.0f} s', 'current')
    return stored


def _hash(dataset: Any, indices: Sequence[int], identity: Any) -> str:
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True, default=str).encode())
    for index in indices:
        info = dataset.get_data_info(index)
        digest.update(pickle.dumps(info, protocol=4))
        path = info.get('img_path')
        if path is not None and os.path.exists(path):
            stat = os.stat(path)
            digest.update(f'{stat.st_size} {stat.st_mtime_ns}'.encode())
    return digest.hexdigest()[:16]


def _decoded(loader: DataLoader, name: str) -> Iterator[Tuple[np.ndarray, _Labels]]:
    """Batches of images (n, C, H, W) and labels, all of one size."""
    wanted = None
    for data in loader:
        images = [image.numpy() for image in data['inputs']]
        wanted = wanted or (images[0].shape, images[0].dtype)
        for image in images:
            if (image.shape, image.dtype) != wanted:
                raise ValueError(f'the images for {name} have different sizes, {wanted[0]} and {image.shape}; all must '
                                 'have one: the pipeline has to resize or crop them')
        samples = data.get('data_samples') or [{}] * len(images)
        labels = [sample.get('gt_label') for sample in samples]
        yield np.stack(images), [[] if label is None else torch.as_tensor(label).view(-1).tolist() for label in labels]


def _collect(batches: Iterator[Tuple[np.ndarray, _Labels]], count: int) -> StoredImages:
    array, labels = None, []
    for images, found in batches:
        if array is None:
            array = np.empty((count, *images.shape[1:]), images.dtype)
        array[len(labels):len(labels) + len(images)] = images
        labels += found
    return StoredImages(array, labels)


def _write(folder: Path, batches: Iterator[Tuple[np.ndarray, _Labels]], count: int) -> None:
    partial = folder.with_name(folder.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    labels: _Labels = []
    with open(partial / 'images', 'wb') as file:
        for images, found in batches:
            if not labels:
                _check_space(partial, images[0].nbytes * count)
            file.write(images.tobytes())
            labels += found
        file.flush()
        os.fsync(file.fileno())
    index = dict(shape=[count, *images.shape[1:]], dtype=images.dtype.str, labels=labels)
    (partial / 'index.json').write_text(json.dumps(index), encoding='utf-8')
    os.replace(partial, folder)


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ValueError(f"the decoded images need {needed / 1e9:.1f} GB, but '{folder.parent}' has {free / 1e9:.1f} GB "
                         'free; set image_cache.folder to a larger disk')


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds others off; a process that dies lets go."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + '.lock'), 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
