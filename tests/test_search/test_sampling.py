"""Drawing architectures: into a window of OPs, by mutation, by crossover."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_spaces import archs, generators, spaces

from nasbnn_det.arch import SPACES, Arch, Block, SearchSpace
from nasbnn_det.costs import count_ops
from nasbnn_det.search import InfeasibleWindowError, OpsWindow, crossover, mutate, sample_in_window
from nasbnn_det.search.sampling import repair

IMAGENET = SPACES['imagenet']


def ops_224(arch):
    """OPs at 224 px with 1000 classes."""
    return count_ops(arch, (224, 224), 1000).ops


def ops_32(arch):
    """OPs at 32 px, backbone alone."""
    return count_ops(arch, (32, 32)).ops


def is_legal(arch, space):
    """Whether an architecture passes its own validation anew, and is of the space."""
    return arch.space == space and Arch(space, arch.stages) == arch


@pytest.mark.parametrize('low, high', [(20.5, 22), (24.5, 25.5), (56, 58), (179, 181), (320, 332)])
def test_windows_of_imagenet_are_hit(low, high):
    window, rng = OpsWindow(low * 1e6, high * 1e6), np.random.default_rng(0)
    found = [sample_in_window(IMAGENET, window, ops_224, rng) for _ in range(4)]
    assert all(ops_224(arch) in window and is_legal(arch, IMAGENET) for arch in found)
    assert len(set(found)) > 1


@pytest.mark.parametrize('low, high', [(20, 20.8), (331.5, 340)])
def test_windows_that_hold_only_an_extreme_are_hit(low, high):
    window = OpsWindow(low * 1e6, high * 1e6)
    assert ops_224(sample_in_window(IMAGENET, window, ops_224, np.random.default_rng(0))) in window


def test_samples_spread_over_a_wide_window():
    window, rng = OpsWindow(30e6, 200e6), np.random.default_rng(0)
    found = np.array([ops_224(sample_in_window(IMAGENET, window, ops_224, rng)) for _ in range(40)])
    assert found.min() < 65e6 and found.max() > 165e6


@given(spaces(), generators())
def test_a_window_around_an_existing_architecture_is_hit(space, rng):
    ops = ops_32(Arch.random(space, rng))
    window = OpsWindow(0.8 * ops, 1.25 * ops)
    arch = sample_in_window(space, window, ops_32, rng)
    assert ops_32(arch) in window and is_legal(arch, space)


@pytest.mark.parametrize('low, high, nearest', [
    (1, 20, 'the nearest has 20.77M'), (400, 500, 'the nearest has 331.81M')])
def test_window_outside_the_space(low, high, nearest):
    with pytest.raises(InfeasibleWindowError) as error:
        sample_in_window(IMAGENET, OpsWindow(low * 1e6, high * 1e6), ops_224, np.random.default_rng(0))
    message = str(error.value)
    assert nearest in message and f'{low:.2f}M to {high:.2f}M' in message and 'from 20.77M to 331.81M' in message


def test_window_in_a_gap_names_the_nearest():
    table = [((8, ), (1, ), (3, ), (1, ), (1, ), 2), ((8, 64), (1, ), (3, 5), (1, ), (1, ), 1)]
    space = SearchSpace.from_table(table, 'gap')
    every = sorted({ops_224(Arch.random(space, np.random.default_rng(i))) for i in range(60)})
    low, high = max(zip(every, every[1:]), key=lambda pair: pair[1] - pair[0])
    width = high - low
    for window, nearest in ((OpsWindow(low + 0.1 * width, low + 0.2 * width), low),
                            (OpsWindow(high - 0.2 * width, high - 0.1 * width), high)):
        with pytest.raises(InfeasibleWindowError) as error:
            sample_in_window(space, window, ops_224, np.random.default_rng(0))
        assert f'the nearest has {nearest / 1e6:.2f}M' in str(error.value)


def test_a_hopeless_window_ends_after_its_walks():
    # A window narrower than any difference between two architectures, in the space where walks are longest.
    counted = []

    def count(arch):
        counted.append(arch)
        return ops_224(arch)

    with pytest.raises(InfeasibleWindowError):
        sample_in_window(IMAGENET, OpsWindow(57e6, 57e6), count, np.random.default_rng(0), tries=3)
    assert len(counted) <= 2 + 3 * 401


@pytest.mark.parametrize('low, high', [(-1, 5), (5, 4), (float('nan'), 1)])
def test_bad_windows(low, high):
    with pytest.raises(ValueError, match='low <= high'):
        OpsWindow(low, high)


def test_window_arithmetic():
    window = OpsWindow(10, 20)
    assert 10 in window and 20 in window and 9.99 not in window and 20.01 not in window
    assert [window.distance(x) for x in (7, 10, 15, 20, 24)] == [3, 0, 0, 0, 4]


@given(archs(), generators(), st.sampled_from((0.05, 0.2, 1.0)))
def test_mutants_are_legal(arch, rng, probability):
    before = arch.stages
    assert all(is_legal(mutate(arch, rng, probability), arch.space) for _ in range(20))
    assert arch.stages == before


@given(spaces(), generators())
def test_children_are_legal(space, rng):
    for _ in range(10):
        first, second = Arch.random(space, rng), Arch.random(space, rng)
        child = crossover(first, second, rng)
        assert is_legal(child, space)
        for a, b, c in zip(first.stages, second.stages, child.stages):
            assert len(c) in (len(a), len(b))


def test_crossover_takes_whole_stages_where_it_can():
    space = SearchSpace.from_table(SPACES['tiny'].to_table(), 'free', non_decreasing=False)
    rng = np.random.default_rng(0)
    first, second = Arch.smallest(space), Arch.biggest(space)
    children = {crossover(first, second, rng) for _ in range(300)}
    assert all(c in (a, b) for child in children for a, b, c in zip(first.stages, second.stages, child.stages))
    assert len(children) == 2**len(space.stages)


@pytest.mark.parametrize('space', ['imagenet', 'tiny'])
def test_many_mutants_reach_every_choice(space):
    arch, rng = Arch.random(SPACES[space], np.random.default_rng(0)), np.random.default_rng(1)
    seen = [dict(depth=set(), channels=set(), kernel=set(), groups1=set()) for _ in arch.stages]
    for _ in range(1500):
        arch = mutate(arch, rng)
        for found, blocks in zip(seen, arch.stages):
            found['depth'].add(len(blocks))
            for block in blocks:
                for name in ('channels', 'kernel', 'groups1'):
                    found[name].add(getattr(block, name))
    for found, spec in zip(seen, SPACES[space].stages):
        assert found == dict(depth=set(spec.depths), channels=set(spec.channels), kernel=set(spec.kernels),
                             groups1=set(spec.groups1))


def test_mutation_probability():
    arch, rng = Arch.random(SPACES['tiny'], np.random.default_rng(3)), np.random.default_rng(0)
    same = [sum(mutate(arch, rng, p) == arch for _ in range(100)) for p in (1e-9, 0.2, 1.0)]
    assert same[0] == 100 and same[0] > same[1] >= same[2]


@given(spaces(non_decreasing=True), generators())
def test_repair_only_widens(space, rng):
    free = SearchSpace.from_table(space.to_table(), 'free', False)
    asked = Arch.random(free, rng)
    repaired = repair([list(blocks) for blocks in asked.stages], space)
    before = 0
    for i, (a, r) in enumerate(zip(asked.stages, repaired.stages)):
        for x, y in zip(a, r):
            nearest = min(c for c in space.stages[i].channels if c >= max(before, x.channels))
            assert y == Block(nearest, x.kernel, x.groups1, x.groups2)
            before = y.channels


@given(archs())
def test_repair_leaves_legal_ones_alone(arch):
    assert repair([list(blocks) for blocks in arch.stages], arch.space) == arch
