"""Further bounds of a search: parameters, bytes, a callable of one's own."""
import pytest

from nasbnn_det.arch import SPACES, Arch
from nasbnn_det.costs import count_ops
from nasbnn_det.costs.params import count_params
from nasbnn_det.search import Evolution, EvolutionConfig, OpsWindow
from nasbnn_det.search.constraints import build_constraints
from nasbnn_det.search.sampling import InfeasibleWindowError

TINY = SPACES['tiny']
WINDOW = OpsWindow(0.1e6, 1e6)
SMALL = EvolutionConfig(num_random=6, num_mutants=4, num_crossovers=4, generations=2)


def count(arch):
    """OPs at 48 px."""
    return count_ops(arch, (48, 48), 5).ops


def depth(arch):
    """A measure of one's own."""
    return sum(map(len, arch.stages))


def run(constraints):
    """All architectures of a whole evolution under constraints."""
    evolution = Evolution(TINY, WINDOW, count, SMALL, 0, build_constraints(constraints, 5))
    while not evolution.finished:
        archs = evolution.propose()
        evolution.tell(archs, [count(arch) for arch in archs])
    return list(evolution.visited)


def test_every_candidate_keeps_every_limit():
    free = run({})
    most = sorted(count_params(arch, 5).total for arch in free)[len(free) // 2]
    own = dict(measure=f'{__name__}:depth', most=8)
    bound = run(dict(params=most, bytes=1e5, depth=own))
    assert len(bound) > 6
    assert all(count_params(arch, 5).total <= most and count_params(arch, 5).bytes <= 1e5 and depth(arch) <= 8
               for arch in bound)
    assert any(count_params(arch, 5).total > most or depth(arch) > 8 for arch in free)


def test_a_limit_nothing_keeps_is_named_with_the_nearest_value():
    with pytest.raises(InfeasibleWindowError, match=r'params at most 10 \(smallest drawn: \d+\)'):
        run(dict(params=10))


@pytest.mark.parametrize('constraints, words', [
    (dict(latency=3), 'latency=3 can.t be understood; allowed are params=NUMBER'),
    (dict(latency=dict(measure='nowhere:function', most=3)), "'nowhere:function' can't be imported"),
    (dict(latency=dict(measure='os:nothing', most=3)), "'os:nothing' can't be imported"),
    (dict(latency=dict(measure='os:name', most=3)), 'it is no function'),
    (dict(params='many'), "params='many' can't be understood"),
])
def test_wrong_limits_are_named(constraints, words):
    with pytest.raises(ValueError, match=words):
        build_constraints(constraints, 5)


def test_smallest_is_within_its_own_size():
    constraint, = build_constraints(dict(params=count_params(Arch.smallest(TINY), 5).total), 5)
    assert constraint.measure(Arch.smallest(TINY)) == constraint.most
