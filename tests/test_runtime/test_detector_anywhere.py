"""The packed detector from many threads, in forked and spawned processes, from C, and on files of strangers."""
import copy
import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from test_file import mutated, resized

from nasbnn_det.native import load_library
from nasbnn_det.native.build import INCLUDE_DIR
from nasbnn_det.runtime import PackedClassifier, PackedDetector, free_workspaces
from nasbnn_det.runtime.native_detector import NativeDetector
from nasbnn_det.runtime.native_network import Prepared

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'tests' / 'csrc'))
import small_network  # noqa: E402

needs_fork = pytest.mark.skipif(not hasattr(os, 'fork'), reason='this system has no fork')


@pytest.fixture(scope='module')
def file(tmp_path_factory):
    """A small packed detector of random numbers."""
    path = tmp_path_factory.mktemp('small') / 'd.safetensors'
    small_network.write(path)
    return path


@pytest.fixture(scope='module')
def images():
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (*rng.integers(20, 120, 2), 3), dtype=np.uint8) for _ in range(8)]


def same(got, want):
    return all(np.array_equal(a, b) for a, b in zip(got, want))


def all_same(got, want):
    return len(got) == len(want) and all(map(same, got, want))


def test_64_threads_call_one_detector(file, images):
    detector = PackedDetector(file, 3)
    want = detector(images)
    assert all(len(found.scores) for found in want) and detector.classes == ('a', 'b', 'ü')
    start = threading.Barrier(64)

    def call(first):
        start.wait()
        return all(same(detector(images[i % 8]), want[i % 8]) for i in range(first, first + 16))

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(call, range(64)))


def test_two_detectors_at_once(file, images, tmp_path):
    small_network.write(tmp_path / 'other.safetensors', seed=1)
    detectors = [PackedDetector(file, 2), PackedDetector(tmp_path / 'other.safetensors', 4)]
    want = [detector(images) for detector in detectors]
    assert not all_same(*want)
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda i: detectors[i % 2](images), range(24)))
    assert all(all_same(found, want[i % 2]) for i, found in enumerate(got))


def find(detector, images):
    return [detector(image) for image in images]


@needs_fork
@pytest.mark.filterwarnings('ignore:This process')
def test_forked_processes_find_the_same(file, images):
    detector = PackedDetector(file, 3)
    want = detector(images)
    busy, stop = [], threading.Event()

    def keep_calling():
        while not stop.is_set():
            busy.append(same(detector(images[0]), want[0]))

    # Others call while the process is forked: no lock of theirs is inherited.
    callers = [threading.Thread(target=keep_calling) for _ in range(3)]
    for caller in callers:
        caller.start()
    try:
        for _ in range(5):
            with multiprocessing.get_context('fork').Pool(2) as pool:
                got = [pool.apply_async(find, (detector, images)) for _ in range(4)]
                assert all(all_same(found.get(timeout=120), want) for found in got)
    finally:
        stop.set()
        for caller in callers:
            caller.join()
    assert all(busy) and all_same(detector(images), want)


def test_spawned_processes_find_the_same(file, images):
    detector = PackedDetector(file, 2)
    with multiprocessing.get_context('spawn').Pool(2) as pool:
        got = [pool.apply_async(find, (detector, images)) for _ in range(4)]
        assert all(all_same(found.get(timeout=240), detector(images)) for found in got)
    assert all_same(pickle.loads(pickle.dumps(detector))(images), copy.deepcopy(detector)(images))


def resident():
    """Bytes of memory in use by this process."""
    return int(Path('/proc/self/statm').read_text().split()[1]) * os.sysconf('SC_PAGE_SIZE')


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/statm').exists(), reason='only Linux tells the memory in use')
def test_memory_stays_flat(file, images):
    detector = PackedDetector(file, 2)

    def work(count):
        for i in range(count):
            detector(images[i % 8])
            if i % 50 == 0:
                PackedDetector(file, 1)(images[0])

    work(500)
    before = resident()
    work(10000)
    assert resident() - before < 2e6
    free_workspaces()
    assert all(len(found.scores) for found in detector(images))


@pytest.fixture(params=[kind for kind in small_network.KINDS if kind != 'classifier'])
def any_file(request, tmp_path):
    """A small packed detector of each kind of head."""
    small_network.write(tmp_path / 'd.safetensors', kind=request.param)
    return tmp_path / 'd.safetensors'


def fuzz(file, seed, count):
    """Loads mutated files and runs what loads; returns how many were refused and how many ran."""
    rng, data, planes, refused = np.random.default_rng(seed), file.read_bytes(), np.full((3, 32, 32), 0.5, np.float32), 0
    for _ in range(count):
        changed = mutated(rng, data)
        changed = resized(changed, data) if rng.random() < 0.5 else changed
        try:
            detector = NativeDetector(changed, 1, check_sum=False)
        except ValueError as error:
            assert str(error)
            refused += 1
            continue
        try:
            detector.detect_prepared(Prepared(planes, (32, 32), (1.0, 1.0)), 0.0)
        except ValueError as error:  # too small for a kernel, for example
            assert str(error)
    return refused, count - refused


def test_mutated_files_are_refused_or_run(any_file):
    refused, ran = fuzz(any_file, 0, 1000)
    assert refused > 100 and ran > 100


VALUES = [0, 1, -1, 3, 2**31, 2**70, 0.5, -0.5, 1e308, True, None, '', 'fpn', [], [1], [[3]], [[[1, 2, 3, 4]]] * 3, {},
          {'a': 1}]


def places(value, path=()):
    """Paths of everything inside a JSON value."""
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(part, (*path, key))


def redescribed(rng, data):
    """A file whose description of the network has another value, one less or one more."""
    length = int.from_bytes(data[:8], 'little')
    outer = json.loads(data[8:8 + length])
    header = json.loads(outer['__metadata__']['nasbnn_det'])
    found = list(places(header['network']))
    *path, key = found[rng.integers(len(found))]
    owner = header['network']
    for step in path:
        owner = owner[step]
    choice = rng.integers(4)
    if choice == 0:
        del owner[key]
    elif choice == 1 and isinstance(owner, list):
        owner.insert(key, owner[key])
    else:
        owner[key] = VALUES[rng.integers(len(VALUES))]
    outer['__metadata__']['nasbnn_det'] = json.dumps(header)
    text = json.dumps(outer).encode()
    return len(text).to_bytes(8, 'little') + text + data[8 + length:]


def test_descriptions_with_other_values_are_refused_or_run(any_file):
    rng, data, planes, refused = np.random.default_rng(0), any_file.read_bytes(), np.ones((3, 40, 40), np.float32), 0
    for _ in range(400):
        try:
            detector = NativeDetector(redescribed(rng, data), 1, check_sum=False)
        except ValueError as error:
            assert 'describes no detector: ' in str(error), error
            refused += 1
            continue
        found = detector.detect_prepared(Prepared(planes, (40, 40), (1.0, 1.0)), 0.0)
        assert (found.labels < len(detector.classes)).all() and np.isfinite(found.scores).all()
    assert 100 < refused < 400


@pytest.mark.slow
def test_many_mutated_files_are_refused_or_run(any_file):
    refused, ran = fuzz(any_file, 1, 10000)
    assert refused > 1000 and ran > 1000


def test_every_cut_of_a_file_is_refused(any_file):
    data = any_file.read_bytes()
    for end in (*range(0, 400), *range(400, len(data), 97)):
        with pytest.raises(ValueError, match='no packed file|is damaged|cut off'):
            PackedDetector(data[:end])


@pytest.mark.skipif(shutil.which('cc') is None, reason='there is no C compiler')
def test_the_example_in_c_prints_the_same(file, images, tmp_path):
    library = Path(load_library()._name)
    program = tmp_path / 'detect'
    subprocess.run(['cc', '-std=c99', '-Wall', '-Wextra', '-Werror', f'-I{INCLUDE_DIR}', ROOT / 'examples' / 'detect.c',
                    library, f'-Wl,-rpath,{library.parent}', '-o', program], check=True)
    picture, pixels = tmp_path / 'p.ppm', images[0]
    picture.write_bytes(f'P6\n{pixels.shape[1]} {pixels.shape[0]}\n255\n'.encode() + pixels[..., ::-1].tobytes())

    def run(*arguments):
        return subprocess.run([program, *arguments], capture_output=True, text=True)

    done = run(file, picture, '0.2')
    assert done.returncode == 0, done.stderr
    detector = PackedDetector(file)
    found = detector(pixels, 0.2)
    want = [f'{detector.classes[label]} {score:.4f} ' + ' '.join(f'{v:.1f}' for v in box)
            for box, label, score in zip(found.boxes, found.labels, found.scores)]
    assert done.stdout.splitlines() == want and want
    small_network.write(tmp_path / 'c.safetensors', kind='classifier')
    done = run(tmp_path / 'c.safetensors', picture)
    probabilities = PackedClassifier(tmp_path / 'c.safetensors')(pixels).probabilities
    assert done.stdout.splitlines() == [f'{name} {value:.4f}' for name, value in zip(('a', 'b', 'ü'), probabilities)]
    picture.write_bytes(picture.read_bytes()[:100])
    for arguments, message in (((file, picture), "p.ppm' can't be read"),
                               ((tmp_path / 'none', picture), "none' does not exist"),
                               ((picture, picture), "p.ppm' is no packed file, or is cut off"), ((), 'usage: ')):
        done = run(*arguments)
        assert done.returncode > 0 and message in done.stderr
