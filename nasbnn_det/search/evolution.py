"""The evolution: proposes architectures generation by generation, learns their scores, keeps the front.

It knows no framework and runs no network: whoever drives it scores what :meth:`Evolution.propose` gives. Its
whole state is JSON, so a run can be stopped anywhere between two generations and continued exactly.
"""
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Sequence

import numpy as np

from ..arch import Arch, FrontEntry, SearchSpace
from .constraints import Constraint
from .sampling import InfeasibleWindowError, OpsWindow, crossover, mutate, sample_in_window


@dataclass(frozen=True)
class EvolutionConfig:
    """Sizes of the evolution; the defaults are NAS-BNN's (arXiv 2408.15484, Sec. 4).

    Args:
        num_random (int): Random architectures in generation 0.
        num_mutants (int): Mutants in each later generation.
        num_crossovers (int): Crossovers in each later generation.
        generations (int): Generations after generation 0.
        mutation_probability (float): Per choice.
        bucket (float): Width of a bucket of the front, in OPs.

    Raises:
        ValueError: If a number is negative, or the bucket or generation 0 is empty.
    """
    num_random: int = 512
    num_mutants: int = 128
    num_crossovers: int = 128
    generations: int = 20
    mutation_probability: float = 0.2
    bucket: float = 2e6

    def __post_init__(self) -> None:
        if self.num_random < 1 or min(self.num_mutants, self.num_crossovers, self.generations) < 0:
            raise ValueError(f'an evolution needs num_random >= 1 and no negative number; got {self}')
        if self.bucket <= 0 or not 0 < self.mutation_probability <= 1:
            raise ValueError(f'an evolution needs bucket > 0 and 0 < mutation_probability <= 1; got {self}')


class Evolution:
    """Evolutionary search for the best score per bucket of OPs.

    Args:
        space (SearchSpace): Where to search.
        window (OpsWindow): OPs a candidate may have.
        count (Callable): ``count(arch)`` gives OPs.
        config (EvolutionConfig): Sizes.
        seed (int): Seed of all draws. Defaults to 0.
        constraints (Sequence[Constraint]): Further upper bounds a candidate must keep. Defaults to none.
    """

    #: Draws in a row without a new candidate before a generation is taken as it is: in a small space or a narrow
    #: window new ones run out.
    _misses = 200

    def __init__(self, space: SearchSpace, window: OpsWindow, count: Callable[[Arch], float],
                 config: EvolutionConfig = EvolutionConfig(), seed: int = 0, constraints: Sequence[Constraint] = ()) -> None:
        self.space, self.window, self.count, self.config = space, window, count, config
        self.constraints = tuple(constraints)
        self.rng = np.random.default_rng(seed)
        self.generation = 0
        self.visited: Dict[Arch, FrontEntry] = {}

    @property
    def finished(self) -> bool:
        """Whether all generations have been told."""
        return self.generation > self.config.generations

    def propose(self) -> List[Arch]:
        """Candidates of the current generation: legal, in the window, none seen before, none twice.

        Raises:
            InfeasibleWindowError: If no architecture lies in the window, or none that was drawn keeps the constraints.
        """
        cfg = self.config
        new: Dict[Arch, None] = {}
        self._nearest: Dict[str, float] = {}
        if self.generation == 0:
            self._fill(new, cfg.num_random, lambda: sample_in_window(self.space, self.window, self.count, self.rng))
        else:
            parents = [entry.arch for entry in self.front()]
            self._fill(new, cfg.num_mutants, lambda: mutate(self._pick(parents), self.rng, cfg.mutation_probability))
            self._fill(new, cfg.num_crossovers,
                       lambda: crossover(self._pick(parents), self._pick(parents), self.rng))
        if self.generation == 0 and not new:
            found = ', '.join(f'{bound.name} at most {bound.most:g} (smallest drawn: {self._nearest[bound.name]:g})'
                              for bound in self.constraints if bound.name in self._nearest)
            raise InfeasibleWindowError(f'no architecture with {self.window} OPs was found that keeps {found}; raise a '
                                        'constraint or move the window')
        return list(new)

    def _allowed(self, arch: Arch) -> bool:
        """Whether a new candidate keeps the window and all constraints."""
        if self.count(arch) not in self.window:
            return False
        for constraint in self.constraints:
            value = constraint.measure(arch)
            self._nearest[constraint.name] = min(value, self._nearest.get(constraint.name, value))
            if value > constraint.most:
                return False
        return True

    def _fill(self, new: Dict[Arch, None], wanted: int, draw: Callable[[], Arch]) -> None:
        goal, misses = len(new) + wanted, 0
        while len(new) < goal and misses < self._misses:
            arch = draw()
            if arch not in new and arch not in self.visited and self._allowed(arch):
                new[arch] = None
                misses = 0
            else:
                misses += 1

    def _pick(self, parents: Sequence[Arch]) -> Arch:
        return parents[int(self.rng.integers(len(parents)))]

    def tell(self, archs: Sequence[Arch], scores: Sequence[float]) -> None:
        """Takes the scores of a proposed generation and moves to the next one.

        Args:
            archs (Sequence[Arch]): What :meth:`propose` gave.
            scores (Sequence[float]): Their scores, higher is better.

        Raises:
            ValueError: If the lengths differ or a score is no finite number.
        """
        if len(archs) != len(scores):
            raise ValueError(f'{len(scores)} scores for {len(archs)} architectures; each needs one')
        for arch, score in zip(archs, scores):
            if not np.isfinite(score):
                raise ValueError(f'the score of {arch} is {score}; scores must be finite numbers')
        for arch, score in zip(archs, scores):
            self.visited[arch] = FrontEntry(arch, self.count(arch), float(score))
        self.generation += 1

    def front(self) -> List[FrontEntry]:
        """Best score per bucket of OPs, ascending in OPs; of equal scores the fewer OPs, then the earlier."""
        best: Dict[int, FrontEntry] = {}
        for entry in self.visited.values():
            bucket = int(entry.ops // self.config.bucket)
            if bucket not in best or (entry.score, -entry.ops) > (best[bucket].score, -best[bucket].ops):
                best[bucket] = entry
        return [best[bucket] for bucket in sorted(best)]

    def state_dict(self) -> Dict[str, Any]:
        """JSON-ready state, read by :meth:`load_state_dict`."""
        visited = [dict(stages=e.arch.stages_to_list(), score=e.score) for e in self.visited.values()]
        return dict(space=self.space.to_dict(), generation=self.generation, visited=visited,
                    rng=self.rng.bit_generator.state)

    def load_state_dict(self, state: Dict[str, Any]) -> None:
        """Continues from a state.

        Raises:
            ValueError: If the state is of another space or has missing keys.
        """
        missing = {'space', 'generation', 'visited', 'rng'} - set(state)
        if missing:
            raise ValueError(f'a search state needs the keys space, generation, visited and rng; {sorted(missing)} missing')
        space = SearchSpace.from_dict(state['space'])
        if space != self.space:
            raise ValueError(f"the search state is of space '{space.name}', this search is of '{self.space.name}', or their "
                             'tables differ')
        visited, generation = {}, state['generation']
        if type(generation) is not int or generation < 0:
            raise ValueError(f'the generation of the search state is {generation!r}; it counts from 0')
        try:
            for row in state['visited']:
                arch = Arch.from_stages(self.space, row['stages'])
                visited[arch] = FrontEntry(arch, self.count(arch), float(row['score']))
            self.rng.bit_generator.state = state['rng']
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f'the search state holds what no search writes ({error!r})') from error
        if not np.isfinite([entry.score for entry in visited.values()]).all():
            raise ValueError('a score of the search state is no finite number')
        self.visited, self.generation = visited, generation
