"""The evolution, driven by scores that need no network."""
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_spaces import FIXED, spaces

from nasbnn_det.arch import SPACES, Arch, SearchSpace
from nasbnn_det.costs import count_ops
from nasbnn_det.search import Evolution, EvolutionConfig, InfeasibleWindowError, OpsWindow

CONFIG = EvolutionConfig(num_random=16, num_mutants=8, num_crossovers=8, generations=6, bucket=2e5)
TARGET = Arch.random(FIXED, np.random.default_rng(42))


def count(arch):
    """OPs at 64 px."""
    return count_ops(arch, (64, 64)).ops


LOW, HIGH = count(Arch.smallest(FIXED)), count(Arch.biggest(FIXED))
WINDOW = OpsWindow(LOW + 0.1 * (HIGH - LOW), HIGH - 0.2 * (HIGH - LOW))


def likeness(arch):
    """Higher the more choices are the target's."""
    different = 0
    for mine, wanted in zip(arch.stages, TARGET.stages):
        different += 2 * abs(len(mine) - len(wanted))
        for a, b in zip(mine, wanted):
            different += sum(getattr(a, n) != getattr(b, n) for n in ('channels', 'kernel', 'groups1'))
    return -float(different)


def evolve(evolution, generations=None, score=likeness):
    """Runs some generations, or all; gives their proposals."""
    proposals = []
    while not evolution.finished and (generations is None or len(proposals) < generations):
        proposals.append(evolution.propose())
        evolution.tell(proposals[-1], [score(arch) for arch in proposals[-1]])
    return proposals


@pytest.mark.parametrize('seed', [0, 1])
def test_candidates_are_new_legal_and_in_the_window(seed):
    evolution = Evolution(FIXED, WINDOW, count, CONFIG, seed)
    proposals = evolve(evolution)
    every = [arch for generation in proposals for arch in generation]
    assert len(proposals) == 7 and len(proposals[0]) == 16 and all(0 < len(g) <= 16 for g in proposals)
    assert len(set(every)) == len(every) == len(evolution.visited)
    assert all(count(arch) in WINDOW and Arch(FIXED, arch.stages) == arch for arch in every)
    assert evolution.finished


@given(spaces(), st.integers(0, 99))
@settings(max_examples=6)
def test_any_space_can_be_searched_to_its_end(space, seed):
    config = EvolutionConfig(num_random=4, num_mutants=3, num_crossovers=3, generations=3, bucket=1e3)
    evolution = Evolution(space, OpsWindow(0, 1e12), count, config, seed)
    every = [a for g in evolve(evolution, score=lambda a: -count(a)) for a in g]
    assert len(every) == len(set(every)) == len(evolution.visited) <= space.size()
    assert evolution.finished and evolution.front()


def test_a_space_with_few_architectures_is_exhausted_and_ends():
    table = [((8, ), (1, ), (3, ), (1, ), (1, ), 2), ((8, 16), (1, ), (3, 5), (1, ), (1, ), 1)]
    config = EvolutionConfig(num_random=6, num_mutants=2, num_crossovers=2, generations=2)
    proposals = evolve(Evolution(SearchSpace.from_table(table), OpsWindow(0, 1e12), count, config))
    assert len(proposals[0]) == 4 and not any(proposals[1:])


def test_evolution_beats_random_search():
    wins = 0
    for seed in range(5):
        evolution = Evolution(FIXED, WINDOW, count, CONFIG, seed)
        evolve(evolution)
        only_random = EvolutionConfig(num_random=len(evolution.visited), generations=0, bucket=CONFIG.bucket)
        other = Evolution(FIXED, WINDOW, count, only_random, seed)
        evolve(other)
        assert len(other.visited) == len(evolution.visited)
        best = [max(e.score for e in search.front()) for search in (evolution, other)]
        wins += best[0] > best[1]
    assert wins >= 4


def test_same_seed_same_search():
    runs = [evolve(Evolution(FIXED, WINDOW, count, CONFIG, seed)) for seed in (3, 3, 4)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize('stop', range(7))
def test_a_stopped_search_continues_exactly(stop):
    whole = Evolution(FIXED, WINDOW, count, CONFIG, 5)
    expected = evolve(whole)
    first = Evolution(FIXED, WINDOW, count, CONFIG, 5)
    evolve(first, stop)
    state = json.loads(json.dumps(first.state_dict()))
    second = Evolution(FIXED, WINDOW, count, CONFIG, 999)
    second.load_state_dict(state)
    assert evolve(second) == expected[stop:]
    assert second.front() == whole.front() and list(second.visited) == list(whole.visited)
    assert json.dumps(second.state_dict()) == json.dumps(whole.state_dict())


def test_front_keeps_the_best_of_each_bucket():
    evolution = Evolution(FIXED, WINDOW, count, CONFIG)
    evolve(evolution)
    front = evolution.front()
    assert [e.ops for e in front] == sorted(e.ops for e in front)
    buckets = [e.ops // CONFIG.bucket for e in front]
    assert len(set(buckets)) == len(buckets)
    for entry in evolution.visited.values():
        best = front[buckets.index(entry.ops // CONFIG.bucket)]
        assert (best.score, -best.ops) >= (entry.score, -entry.ops)


def test_of_equal_scores_the_front_keeps_the_fewest_ops():
    evolution = Evolution(FIXED, WINDOW, count, CONFIG)
    evolve(evolution, score=lambda arch: 1.0)
    for entry in evolution.front():
        rivals = [e.ops for e in evolution.visited.values() if e.ops // CONFIG.bucket == entry.ops // CONFIG.bucket]
        assert entry.ops == min(rivals)


def test_an_infeasible_window_is_an_error():
    with pytest.raises(InfeasibleWindowError, match="space 'fixed'"):
        Evolution(FIXED, OpsWindow(HIGH + 1, HIGH + 2), count, CONFIG).propose()


@pytest.mark.parametrize('score', [float('nan'), float('inf')])
def test_scores_must_be_finite(score):
    evolution = Evolution(FIXED, WINDOW, count, CONFIG)
    archs = evolution.propose()
    with pytest.raises(ValueError, match='scores must be finite'):
        evolution.tell(archs, [score] * len(archs))
    with pytest.raises(ValueError, match='15 scores for 16 architectures'):
        evolution.tell(archs, [1.0] * 15)
    assert evolution.generation == 0


def test_a_refused_generation_leaves_no_trace():
    evolution = Evolution(FIXED, WINDOW, count, CONFIG)
    archs = evolution.propose()
    with pytest.raises(ValueError):
        evolution.tell(archs, [1.0] * 15 + [float('nan')])
    assert not evolution.visited and evolution.generation == 0


@pytest.mark.parametrize('kwargs', [
    dict(num_random=0), dict(num_mutants=-1), dict(num_crossovers=-1), dict(generations=-1), dict(bucket=0),
    dict(mutation_probability=0), dict(mutation_probability=1.1)])
def test_bad_sizes(kwargs):
    with pytest.raises(ValueError, match='an evolution needs'):
        EvolutionConfig(**kwargs)


def test_states_of_other_searches_are_refused():
    evolution = Evolution(FIXED, WINDOW, count, CONFIG)
    evolve(evolution, 2)
    state = evolution.state_dict()
    with pytest.raises(ValueError, match=r"\['rng'\] missing"):
        evolution.load_state_dict({k: v for k, v in state.items() if k != 'rng'})
    other = Evolution(SPACES['cifar'], OpsWindow(0, 1e12), count, CONFIG)
    with pytest.raises(ValueError, match="is of space 'fixed', this search is of 'cifar'"):
        other.load_state_dict(state)
    assert other.generation == 0 and not other.visited
