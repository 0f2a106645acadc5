"""Small files of any origin: a mutated one is refused in a ValueError, or is a legal value that goes round.

Packed files are fuzzed in test_runtime/test_file.py.
"""
import copy
import json
import math

import numpy as np
import pytest

from nasbnn_det.arch import SPACES, Arch, Front, FrontEntry, load_arch
from nasbnn_det.costs import count_ops
from nasbnn_det.nasb.network import CellNet, load_cells
from nasbnn_det.search.comparison import read_history
from nasbnn_det.search.evolution import Evolution, EvolutionConfig
from nasbnn_det.search.sampling import OpsWindow
from nasbnn_det.search.state import SearchFiles, _checksum

TINY = SPACES['tiny']
VALUES = [0, 1, -1, 2, 2**31, 2**70, 0.5, 1e308, math.nan, math.inf, True, None, '', 'tiny', 'x' * 50, [], [1], [[3]], {},
          {'a': 1}]
BYTES = [b'9', b'-', b'"', b'{', b'}', b'[', b'e', b',', b'null', b'NaN', b'0.5', b'1e999', b'\xff', b'\\u0000', b'99999999']


def count(arch):
    return count_ops(arch, (48, 48), 5).ops


def evolution():
    """After its first generation."""
    found = Evolution(TINY, OpsWindow(2e5, 9e5), count, EvolutionConfig(3, 1, 1, 2, bucket=1e5))
    archs = found.propose()
    found.tell(archs, [1.0, 2.0, 3.0])
    return found


class ArchFile:
    """An architecture by itself."""

    def write(self, folder):
        (folder / 'a.json').write_text(Arch.biggest(TINY).to_json())
        return folder / 'a.json'

    def check(self, path):
        arch = load_arch(path)
        assert Arch.from_json(arch.to_json()) == arch and hash(arch) is not None
        count(arch)


class FrontFile:
    """A front of four."""

    def write(self, folder):
        rng = np.random.default_rng(0)
        entries = [FrontEntry(Arch.random(TINY, rng), 1e6 * i, 50.0 + i) for i in range(1, 5)]
        Front(tuple(entries), dict(metric='m', bucket=2e6, input_size=[48, 48])).save(folder / 'f.json')
        return folder / 'f.json'

    def check(self, path):
        front = Front.load(path)
        assert all(math.isfinite(e.score) and 0 < e.ops < math.inf for e in front.entries)
        front.save(path.with_name('again.json'))
        assert Front.load(path.with_name('again.json')) == front
        assert front.best() in front.pareto


class CellsFile:
    """The cells of a ResNet-18."""

    def write(self, folder):
        CellNet.plain(18).save(folder / 'c.json')
        return folder / 'c.json'

    def check(self, path):
        cells = load_cells(path, 18)
        assert CellNet.from_dict(json.loads(json.dumps(cells.to_dict()))) == cells


class HistoryFile:
    """What a search visited."""

    def write(self, folder):
        SearchFiles(folder, {}).save_history(list(evolution().visited.values()))
        return folder / 'history.jsonl'

    def check(self, path):
        assert all(math.isfinite(visit.ops) and math.isfinite(visit.score) for visit in read_history(path.parent))


class StateFile:
    """A search's state, whose checksum a stranger has made right again where the file still is JSON."""

    def write(self, folder):
        SearchFiles(folder, dict(seed=1)).save_state(evolution().state_dict())
        return folder / 'search_state.json'

    def check(self, path):
        try:
            data = json.loads(path.read_text(encoding='utf-8'))
            data['sha256'] = _checksum(data['body'])
            path.write_text(json.dumps(data))
        except (ValueError, KeyError, TypeError):
            pass
        state = SearchFiles(path.parent, dict(seed=1)).load_state()
        again = Evolution(TINY, OpsWindow(2e5, 9e5), count, EvolutionConfig(3, 1, 1, 2, bucket=1e5))
        again.load_state_dict(state)
        assert all(math.isfinite(entry.score) for entry in again.visited.values()) and again.generation >= 0
        again.rng.integers(5)
        again.front()


KINDS = [ArchFile, FrontFile, CellsFile, HistoryFile, StateFile]


def places(value, path=()):
    """Paths of everything inside a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inside:
        yield (*path, key)
        yield from places(part, (*path, key))


def mutated_value(rng, value):
    """One part replaced, removed or doubled."""
    value = copy.deepcopy(value)
    found = list(places(value))
    *path, key = found[rng.integers(len(found))]
    owner = value
    for step in path:
        owner = owner[step]
    kind = rng.integers(4)
    if kind == 0:
        del owner[key]
    elif kind == 1 and isinstance(owner, list):
        owner.insert(key, copy.deepcopy(owner[key]))
    else:
        owner[key] = copy.deepcopy(VALUES[rng.integers(len(VALUES))])
    return value


def mutated_bytes(rng, data):
    """Bytes replaced, cut, or put in."""
    data = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data) or 1))
        if rng.random() < 0.3:
            del data[at:at + int(rng.integers(1, 60))]
        else:
            data[at:at + 1] = BYTES[rng.integers(len(BYTES))]
    return bytes(data)


def fuzz(kind, folder, seed, number):
    """Returns how many were refused and how many accepted."""
    rng, refused = np.random.default_rng(seed), 0
    path = kind.write(folder)
    data = path.read_bytes()
    lines = [json.loads(line) for line in data.decode().splitlines()] if path.suffix == '.jsonl' else json.loads(data)
    for i in range(number):
        if i % 2:
            path.write_bytes(mutated_bytes(rng, data))
        else:
            value = mutated_value(rng, lines)
            path.write_text('\n'.join(map(json.dumps, value)) if path.suffix == '.jsonl' else json.dumps(value))
        try:
            kind.check(path)
        except ValueError:
            refused += 1
    return refused, number - refused


@pytest.mark.parametrize('kind', KINDS)
def test_mutated_files_are_refused_or_right(kind, tmp_path):
    refused, accepted = fuzz(kind(), tmp_path, 0, 300)
    assert refused > 100 and accepted > 0


@pytest.mark.slow
@pytest.mark.parametrize('kind', KINDS)
def test_many_mutated_files_are_refused_or_right(kind, tmp_path):
    refused, accepted = fuzz(kind(), tmp_path, 1, 4000)
    assert refused > 1000 and accepted > 0
