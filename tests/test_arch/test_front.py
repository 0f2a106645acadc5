"""Front files and the forms in which a config names an architecture."""
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_spaces import spaces

from nasbnn_det.arch import SPACES, Arch, Front, FrontEntry, arch_channels, load_arch

TINY = SPACES['tiny']


@pytest.fixture
def front():
    """Four architectures; the third is beaten by the second."""
    rng = np.random.default_rng(0)
    rows = [(1.5e6, 50.0), (3e6, 61.25), (5e6, 60.0), (9e6, 70.123456789012345)]
    entries = tuple(FrontEntry(Arch.random(TINY, rng), ops, score) for ops, score in rows)
    return Front(entries, dict(metric='accuracy/top1', seed=3))


@pytest.fixture
def saved(front, tmp_path):
    """The front's file."""
    front.save(tmp_path / 'front.json')
    return tmp_path / 'front.json'


def test_file_round_trip(front, saved):
    assert Front.load(saved) == front
    assert [p.name for p in saved.parent.iterdir()] == ['front.json']
    assert json.loads(saved.read_text())['entries'][3]['score'] == 70.123456789012345


@given(spaces(), st.lists(st.tuples(st.integers(0, 99), st.floats(1, 1e9), st.floats(-100, 100)), min_size=1, max_size=4),
       st.booleans())
def test_any_front_round_trips(tmp_path, space, rows, with_info):
    entries = tuple(FrontEntry(Arch.random(space, np.random.default_rng(seed)), *row) for seed, *row in rows)
    front = Front(entries, dict(a=[1, 'ü']) if with_info else {})
    path = tmp_path / 'any.json'
    front.save(path)
    assert Front.load(path) == front


def test_a_front_of_two_spaces_is_not_written(tmp_path):
    entries = tuple(FrontEntry(Arch.smallest(SPACES[name]), 1.0, 1.0) for name in ('tiny', 'cifar'))
    for wrong in (entries, ()):
        with pytest.raises(ValueError, match='a front is of one search space and not empty; this one is of'):
            Front(wrong).save(tmp_path / 'front.json')
    assert not list(tmp_path.iterdir())


def test_best(front):
    assert front.best() == front.entries[3]
    assert front.best(8.99) == front.entries[1]
    assert front.best(5) == front.entries[1]
    assert front.best(1.5) == front.entries[0]
    with pytest.raises(ValueError, match='no architecture within 1M OPs; its smallest has 1.50M'):
        front.best(1)


def test_of_equal_scores_the_fewer_ops():
    archs_ = [Arch.smallest(TINY), Arch.biggest(TINY)]
    front = Front((FrontEntry(archs_[0], 1e6, 5.0), FrontEntry(archs_[1], 2e6, 5.0)))
    assert front.best().arch == archs_[0]


def test_forms_that_name_an_architecture(front, saved, tmp_path):
    arch = front.entries[0].arch
    single = tmp_path / 'arch.json'
    single.write_text(arch.to_json())
    assert load_arch(arch) is arch
    for form in (arch.to_dict(), str(single), single, f'{saved}#1.5', f'{saved}#2.9'):
        assert load_arch(form) == arch
    assert load_arch(str(saved)) == load_arch(saved) == front.entries[3].arch
    assert load_arch(f'{saved}#57') == front.entries[3].arch
    assert load_arch(f'{saved}#4') == front.entries[1].arch


def test_saving_twice_replaces(front, saved):
    Front(front.entries[:1]).save(saved)
    assert Front.load(saved) == Front(front.entries[:1], {})


@pytest.mark.parametrize('suffix, words', [
    ('#0.5', 'no architecture within 0.5M OPs; its smallest has 1.50M'),
    ('#abc', "'abc' is no number; write front.json#57"),
])
def test_bad_limits(saved, suffix, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        load_arch(f'{saved}{suffix}')


def test_limit_on_a_single_architecture(tmp_path):
    path = tmp_path / 'arch.json'
    path.write_text(Arch.smallest(TINY).to_json())
    with pytest.raises(ValueError, match="holds a single architecture; '#' is for front files"):
        load_arch(f'{path}#57')


def test_names_with_a_number_sign(tmp_path):
    folder = tmp_path / 'run#2'
    folder.mkdir()
    inside = folder / 'arch#1.json'
    inside.write_text(Arch.smallest(TINY).to_json())
    assert load_arch(str(inside)) == Arch.smallest(TINY)
    with pytest.raises(FileNotFoundError, match=f"'{folder}/none.json' does not exist"):
        load_arch(f'{folder}/none.json')


def entry(**changes):
    """An entry of a front file with some keys changed; None drops one."""
    row = dict(stages=Arch.smallest(TINY).stages_to_list(), ops=1.0, score=2.0)
    row.update(changes)
    return {k: v for k, v in row.items() if v is not None}


def front_text(*entries, **changes):
    """Text of a front file."""
    head = dict(format='nasbnn_det.front', version=2, info={}, space=TINY.to_dict(), entries=list(entries))
    return json.dumps({**head, **changes})


@pytest.mark.parametrize('text, words', [
    ('{"format": "nasbnn', 'is no JSON'),
    ('', 'is no JSON'),
    (b'\xff\xfe\x00', 'is no JSON'),
    ('[1, 2]', 'is no front file'),
    ('{}', 'is no front file'),
    (front_text(entry(), format='other'), 'is no front file'),
    (front_text(entry(), version=1), 'is no front file'),
    (front_text(), 'has no entries'),
    (front_text(entry(stages=None)), "lacks 'stages'"),
    (front_text(entry(), space='none'), "unknown search space 'none'"),
    (front_text(entry(ops=None)), "lacks 'ops'"),
    (front_text(entry(score=None)), "lacks 'score'"),
    (front_text(entry(stages=[])), 'illegal architecture: 0 stages'),
    (front_text(entry(score='high')), 'high'),
    (front_text(entry(score=[1])), 'front.json'),
    (front_text(5), 'front.json'),
    (front_text(entries={'a': 1}), 'front.json'),
])
def test_bad_files(tmp_path, text, words):
    path = tmp_path / 'front.json'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (Front.load, load_arch):
        with pytest.raises(ValueError) as error:
            read(path)
        assert words in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('read', [Front.load, load_arch])
def test_missing_file(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="absent.json' does not exist; give a JSON file"):
        read(tmp_path / 'absent.json')


def test_channels_for_a_neck(saved, front):
    arch = front.entries[3].arch
    widths = arch.stage_channels
    assert arch_channels(str(saved), (2, 3, 4)) == widths[2:]
    assert arch_channels(arch, (0, )) == widths[:1]
    for index in (5, -1):
        with pytest.raises(ValueError, match=f'stage {index} does not exist; .* the stages 0 to 4'):
            arch_channels(arch, (1, index))


def test_pareto_optimal_entries_rise(front):
    assert front.pareto == tuple(front.entries[i] for i in (0, 1, 3))
    same = FrontEntry(front.entries[1].arch, front.entries[1].ops, 10.0)
    assert Front((same, *front.entries)).pareto == front.pareto
