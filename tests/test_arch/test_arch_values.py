"""Architectures as values: validation, ways in and out, members of a space."""
import itertools
import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_spaces import FIXED, archs

from nasbnn_det.arch import SPACES, Arch, Block, SearchSpace, get_space
from nasbnn_det.costs import count_ops


def changed(stage, block, **choices):
    """The smallest of the fixed space with one block changed."""
    data = Arch.smallest(FIXED).to_dict()
    data['stages'][stage][block].update(choices)
    return data


def with_stages(change):
    """The smallest of the fixed space with its list of stages changed."""
    data = Arch.smallest(FIXED).to_dict()
    change(data['stages'])
    return data


@pytest.mark.parametrize('data, words', [
    (changed(0, 0, channels=17), ['stage 0', 'block 0', 'channels 17', '[16, 24]', "'fixed'"]),
    (changed(2, 0, kernel=7), ['stage 2', 'block 0', 'kernel 7', '[3, 5]']),
    (changed(2, 0, kernel=4), ['stage 2', 'kernel 4', '[3, 5]']),
    (changed(3, 0, groups1=3), ['stage 3', 'groups1 3', '[2, 4]']),
    (changed(4, 0, groups2=2), ['stage 4', 'groups2 2', '[1]']),
    (changed(1, 0, channels='48'), ['stage 1', 'channels 48', '[48, 64]']),
    (with_stages(lambda s: s.pop()), ['4 stages', "'fixed' has 5"]),
    (with_stages(lambda s: s[2].clear()), ['stage 2 has 0 blocks', '[1, 2]']),
    (with_stages(lambda s: s[0].append(s[0][0])), ['stage 0 has 2 blocks', '[1]']),
    (with_stages(lambda s: s.__setitem__(3, s[3][:1] * 3)), ['stage 3 has 3 blocks', '[1, 2]']),
    (with_stages(lambda s: s.__setitem__(2, [dict(channels=c) for c in (128, 96)])),
     ['stage 2, block 1', '96 channels after 128', "'fixed'", 'no block narrower']),
    (dict(stages=[]), ["'space' and 'stages'"]),
    (dict(space='tiny'), ["'space' and 'stages'"]),
    ([1, 2], ["'space' and 'stages'"]),
    (dict(space='huge', stages=[]), ["'huge'", 'imagenet', 'tiny', 'cifar']),
    (changed(0, 0, width=3), ['channels, kernel, groups1, groups2']),
    (dict(space='tiny', stages=[[dict(kernel=3)]]), ['channels, kernel, groups1, groups2']),
    (dict(space='tiny', stages=3), ['lists of blocks']),
])
def test_illegal_architectures_are_named(data, words):
    with pytest.raises(ValueError) as error:
        Arch.from_dict(data)
    message = str(error.value)
    assert all(word in message for word in words), message
    assert '\n' not in message


def test_the_non_decreasing_rule_is_the_spaces_own():
    table = FIXED.to_table()
    blocks = [[dict(channels=c, kernel=3, groups1=s.groups1[0]) for c in widths]
              for s, widths in zip(FIXED.stages, ([16], [48], [128, 96], [192], [256]))]
    free = SearchSpace.from_table(table, 'free', non_decreasing=False)
    assert Arch.from_dict(dict(space=free.to_dict(), stages=blocks)).stage_channels == (16, 48, 96, 192, 256)


@pytest.mark.parametrize('width', [48.0, np.float64(48), True])
def test_numbers_that_only_look_whole_do_not_travel(width):
    stages = [list(blocks) for blocks in Arch.smallest(FIXED).stages]
    stages[1][0] = Block(width)
    with pytest.raises(ValueError, match='stage 1, block 0: channels'):
        Arch(FIXED, stages)


@given(archs())
def test_json_round_trip(arch):
    text = arch.to_json()
    again = Arch.from_json(text)
    assert again == arch and hash(again) == hash(arch) and again.to_json() == text and '\n' not in text
    assert json.loads(text) == arch.to_dict() == Arch.from_dict(arch.to_dict()).to_dict()


@pytest.mark.parametrize('name', sorted(SPACES))
def test_spaces_travel_in_full(name):
    arch = Arch.random(SPACES[name], np.random.default_rng(0))
    data = arch.to_dict()
    assert data['space'] == SPACES[name].to_dict() and Arch.from_json(arch.to_json()) == arch
    # A name is enough where somebody writes one.
    assert Arch.from_dict(dict(data, space=name)) == arch


def test_a_space_that_borrows_a_name_travels_in_full():
    other = SearchSpace.from_table(SPACES['cifar'].to_table(), 'tiny')
    arch = Arch.smallest(other)
    assert isinstance(arch.to_dict()['space'], dict) and Arch.from_json(arch.to_json()) == arch


def test_equal_by_value_and_readable():
    first, second = Arch.smallest(FIXED), Arch(FIXED, [list(blocks) for blocks in Arch.smallest(FIXED).stages])
    assert first == second and len({first, second}) == 1 and first != Arch.biggest(FIXED)
    assert str(first) == 'fixed[16k3g1 | 48k3g1 | 96k3g2 | 192k3g4 | 256k3g8]'


@given(archs())
def test_smallest_and_biggest_bound_all_ops(arch):
    smallest, biggest = Arch.smallest(arch.space), Arch.biggest(arch.space)
    ops = [count_ops(a, (37, 53), 3).ops for a in (smallest, arch, biggest)]
    assert ops == sorted(ops)


def enumerate_archs(space):
    """All legal architectures, by brute force over the table."""
    options = []
    for s in space.stages:
        blocks = [Block(*b) for b in itertools.product(s.channels, s.kernels, s.groups1, s.groups2)]
        options.append([row for depth in s.depths for row in itertools.product(blocks, repeat=depth)])
    found = set()
    for stages in itertools.product(*options):
        widths = [b.channels for row in stages for b in row]
        if not space.non_decreasing or widths == sorted(widths):
            found.add(Arch(space, stages))
    return found


def small_space(nd):
    """A space small enough for brute force."""
    table = [((4, 8), (1, ), (3, ), (1, ), (1, ), 2), ((4, 8), (1, 2), (3, 5), (1, ), (1, ), 1),
             ((8, 12), (1, 3), (3, ), (1, ), (1, 2), 2)]
    return SearchSpace.from_table(table, 'small', nd)


def differing_choices(a, b):
    """Choices in which two blocks differ."""
    return sum(getattr(a, name) != getattr(b, name) for name in ('channels', 'kernel', 'groups1', 'groups2'))


def one_step(a, b):
    """Whether b differs from a in one choice of one block, or by one block of one stage."""
    stages = [(s, t) for s, t in zip(a.stages, b.stages) if s != t]
    if len(stages) != 1:
        return False
    s, t = sorted(stages[0], key=len)
    if len(s) == len(t):
        return sum(differing_choices(x, y) for x, y in zip(s, t)) == 1
    return len(t) == len(s) + 1 and any(t[:j] + t[j + 1:] == s for j in range(len(t)))


@given(archs(max_stages=2))
def test_neighbours_are_legal_distinct_and_one_step_away(arch):
    found = list(arch.neighbours())
    assert arch not in found
    assert all(Arch(n.space, n.stages) == n and one_step(arch, n) for n in found)
    assert len(set(found)) == len(found)


@pytest.mark.parametrize('nd', [True, False])
def test_neighbours_in_one_choice_are_complete(nd):
    space = small_space(nd)
    every = enumerate_archs(space)
    for arch in sorted(every, key=str)[::97]:
        wanted = {a for a in every if one_step(arch, a) and [len(s) for s in a.stages] == [len(s) for s in arch.stages]}
        assert wanted <= set(arch.neighbours())


@pytest.mark.parametrize('nd', [True, False])
def test_random_reaches_every_architecture(nd):
    table = [((4, 8), (1, ), (3, ), (1, ), (1, ), 2), ((4, 8), (1, 2), (3, ), (1, 2), (1, ), 1)]
    space, rng = SearchSpace.from_table(table, 'small', nd), np.random.default_rng(0)
    assert {Arch.random(space, rng) for _ in range(1500)} == enumerate_archs(space)


def test_median_of_random_imagenet_architectures():
    rng = np.random.default_rng(0)
    ops = [count_ops(Arch.random(SPACES['imagenet'], rng), num_classes=1000).ops / 1e6 for _ in range(400)]
    assert 113 < np.median(ops) < 133


# The public release's form.


@given(archs(), st.booleans(), st.integers(1, 3))
def test_release_rows_round_trip(arch, flat, padding):
    rows = []
    for i, blocks in enumerate(arch.stages):
        rows += [(i, j, b.channels, b.kernel, b.groups1, b.groups2) for j, b in enumerate(blocks)]
        rows += [(-1, -1, 999, 99, 9, 9)] * padding
    given_rows = tuple(x for row in rows for x in row) if flat else rows
    assert Arch.from_release(given_rows, arch.space) == arch
    assert Arch.from_release(np.array(given_rows), arch.space) == arch


@pytest.mark.parametrize('rows, words', [
    ((0, 0, 16, 3, 1), 'rows of six numbers; got 5'),
    (((0, 0, 16, 3, 1, 1), (1, 1, 48, 3, 1, 1)), 'row 1 is block 1 of stage 1'),
    (((0, 0, 16, 3, 1, 1), (9, 0, 48, 3, 1, 1)), 'row 1 is block 0 of stage 9'),
    (((0, 0, 16, 3, 1, 1), ), 'stage 1 has 0 blocks'),
    (((0, 0, 20, 3, 1, 1), ), 'channels 20 is not among'),
])
def test_bad_release_rows(rows, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        Arch.from_release(rows, FIXED)


def test_release_search_result(reference):
    torch = pytest.importorskip('torch')
    info = torch.load(reference('narrow_info.pth.tar'), weights_only=True)
    records = json.loads(reference('narrow_records.json').read_text())
    space = get_space(records['meta']['search_space'])
    named = {Arch.from_release(a['rows'], space) for a in records['archs'].values()}
    assert Arch.smallest(space) in named and Arch.biggest(space) in named
    assert info['vis_dict'] and info['pareto_global']
    for row, facts in info['vis_dict'].items():
        ops = count_ops(Arch.from_release(row, space), (64, 64), 10).ops / 1e6
        assert ops == pytest.approx(facts['ops'], rel=1e-6)
