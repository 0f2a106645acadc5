"""The steps of a graph as C statements."""
from typing import List, NamedTuple, Optional

import numpy as np
import torch
import torch.nn.functional as F

from .arena import Arena
from .constants import Constants, c_float
from .graph import Add, Average, Convolve, Deliver, Graph
from .networks import Network


class Level(NamedTuple):
    """A detector's level.

    Args:
        logits (int): Its map of class logits.
        distances (int): Its map of the distances' logarithms.
        most (int): Candidates at most.
        code (int): Where its codes begin.
    """
    logits: int
    distances: int
    most: int
    code: int


def levels_of(network: Network) -> List[Level]:
    """The levels of a detector; none of a classifier."""
    levels, code = [], 0
    if network.settings is not None:
        for step in network.graph.delivered:
            values, limit = network.graph.maps[step.sources[0]].values, network.settings.nms_pre
            levels.append(Level(*step.sources, values if limit < 0 else min(limit, values), code))
            code += values
    return levels


def nearest(size: int, target: int) -> np.ndarray:
    """Which of ``size`` rows each of ``target`` rows takes, as PyTorch enlarges maps."""
    rows = torch.arange(size, dtype=torch.float32).view(1, 1, size)
    return F.interpolate(rows, size=target, mode='nearest').view(-1).numpy().astype(np.uint16)


class Program:
    """Writes the body of ``run``.

    Args:
        network (Network): The network.
        arena (Arena): Where its maps lie.
        constants (Constants): Receives the arrays that statements name.

    Attributes:
        layers (list[str]): Initialisers of the layers.
        statements (list[str]): One a step or more.
    """

    def __init__(self, network: Network, arena: Arena, constants: Constants) -> None:
        self.graph: Graph = network.graph
        self.arena = arena
        self.constants = constants
        self.levels = levels_of(network)
        self.layers: List[str] = []
        self.statements: List[str] = []
        self._delivered = 0
        for i, step in enumerate(self.graph.steps):
            self._write(i, step)

    def place(self, index: int) -> str:
        """A map's place."""
        return f'floats + {self.arena.maps[index]}'

    def _write(self, i: int, step: object) -> None:
        if isinstance(step, Convolve):
            self._convolve(i, step)
        elif isinstance(step, Add):
            self._add(step)
        elif isinstance(step, Average):
            size = self.graph.maps[step.source]
            self.statements.append(f'average({self.place(step.source)}, {size.height * size.width}, {size.channels}, '
                                   f'{self.place(step.target)});')
        elif isinstance(step, Deliver):
            self._deliver(step)
        else:
            raise TypeError(f'there is no C code for {type(step).__name__}')

    def _convolve(self, i: int, step: Convolve) -> None:
        size, layer = step.size(self.graph.maps), f'layers + {len(self.layers)}'
        self.layers.append(self.constants.layer(len(self.layers), step.layer))
        source = '0' if step.source is None else self.place(step.source)
        made = f'floats + {self.arena.floats_of[i]}' if i in self.arena.floats_of else '0'
        if step.layer.spec.binary:
            self.statements.append(f'binary_layer({layer}, {source}, {size.height}, {size.width}, '
                                   f'{self.place(step.target)}, words + {self.arena.words_of[i]}, {made});')
        else:
            image = 'image' if step.source is None else '0'
            self.statements.append(f'real_layer({layer}, {image}, {source}, {size.height}, {size.width}, '
                                   f'{self.place(step.target)}, {made});')

    def _add(self, step: Add) -> None:
        first, second = self.graph.maps[step.first], self.graph.maps[step.second]
        rows, columns = (self._table(a, b) or '0' for a, b in ((first.height, second.height), (first.width, second.width)))
        self.statements.append(
            f'add({self.place(step.first)}, {first.width}, {rows}, {columns}, {self.place(step.second)}, {second.height}, '
            f'{second.width}, {second.channels}, {self.place(step.target)});')

    def _table(self, size: int, target: int) -> Optional[str]:
        return None if size == target else self.constants.add(f'nearest_{size}_{target}', nearest(size, target))

    def _deliver(self, step: Deliver) -> None:
        for index in step.sources:
            self.statements.append(f'OBSERVE({self._delivered}, {self.place(index)}, {self.graph.maps[index].values});')
            self._delivered += 1
        level = next((level for level in self.levels if level.logits == step.sources[0]), None)
        if level is not None:
            self.statements.append(f'collect(&all, {self.place(level.logits)}, {self.graph.maps[level.logits].values}, '
                                   f'{level.most}, {level.code}u);')
        else:
            self.statements.append(f'memcpy(logits, {self.place(step.sources[0])}, NETWORK_CLASSES * sizeof *logits);')


def classifier_function(program: Program) -> str:
    """``run`` of a classifier."""
    return _function('void run(const struct image *image, float *logits)', [], program.statements)


def detector_function(program: Program, network: Network) -> str:
    """``run`` of a detector."""
    maps = program.graph.maps
    levels = ', '.join(
        f'{{{level.code}u, {maps[level.distances].width}, {c_float(stride)}, {program.place(level.distances)}}}'
        for level, stride in zip(program.levels, network.settings.strides))
    begin = [f'const struct level levels[LEVELS] = {{{levels}}};', 'struct candidates all = {0, 0, 0};']
    end = ['return select_boxes(&all, levels, found);']
    places = [f'all.scores = floats + {program.arena.scores};', f'all.codes = words + {program.arena.codes};']
    return _function('int32_t run(const struct image *image, struct network_detection *found)', begin,
                     [*places, *program.statements, *end])


def _function(head: str, declarations: List[str], statements: List[str]) -> str:
    lines = ['float *const floats = arena.floats;', 'uint32_t *const words = arena.words;', *declarations, *statements]
    return '\n'.join([f'static {head}', '{', *(f'  {line}' for line in lines), '}'])
