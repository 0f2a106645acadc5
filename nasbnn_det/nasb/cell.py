"""A cell: the small graph that stands in for one convolution (NASB, arXiv 2008.03515). A value, like ``Arch``."""
from dataclasses import dataclass, replace
from typing import Any, Dict, List, Mapping, Sequence, Tuple

from .operations import NO_EDGE, OPERATIONS

#: A choice's place: source and target node.
Pair = Tuple[int, int]


@dataclass(frozen=True, order=True)
class Edge:
    """One chosen operation: from node ``source`` to node ``target``."""
    source: int
    target: int
    operation: str


@dataclass(frozen=True)
class Cell:
    """A graph of binary operations in place of one k x k convolution. Equal by value and hashable.

    Node 0 is the input, the last one the output; a node is the sum of the edges that end in it. To the output, the
    binary k x k convolution with its shortcut is always added: the backbone edge, which is not listed. A cell
    without edges is that convolution alone.

    Args:
        edges (tuple[Edge]): The chosen edges beside the backbone; kept in order.
        num_nodes (int): Nodes, input and output included. Defaults to 2.
        num_bases (int): K parallel binary convolutions in place of each one. Defaults to 1.

    Raises:
        ValueError: If an edge names no node, runs backwards, repeats, has no known operation, or lies on no way
            from the input to the output.
    """
    edges: Tuple[Edge, ...] = ()
    num_nodes: int = 2
    num_bases: int = 1

    def __post_init__(self) -> None:
        for name, least in (('num_nodes', 2), ('num_bases', 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise ValueError(f'illegal cell: {name} is {value!r}; it must be an integer of at least {least}')
        edges = tuple(edge if isinstance(edge, Edge) else Edge(*edge) for edge in self.edges)
        for edge in edges:
            self._check_edge(edge)
        pairs = [(edge.source, edge.target) for edge in edges]
        repeated = sorted({pair for pair in pairs if pairs.count(pair) > 1})
        if repeated:
            raise ValueError(f'illegal cell: more than one edge from node {repeated[0][0]} to node {repeated[0][1]}')
        dead = sorted(set(edges) - set(_alive(edges, self.num_nodes)))
        if dead:
            raise ValueError(f'illegal cell: the edge from node {dead[0].source} to node {dead[0].target} lies on no '
                             'way from the input to the output; leave it out')
        object.__setattr__(self, 'edges', tuple(sorted(edges)))

    def _check_edge(self, edge: Edge) -> None:
        nodes = (edge.source, edge.target)
        if any(type(node) is not int for node in nodes) or not 0 <= edge.source < edge.target < self.num_nodes:
            raise ValueError(f'illegal cell: an edge from node {edge.source!r} to node {edge.target!r}; edges run '
                             f'from a lower to a higher node, 0 to {self.num_nodes - 1}')
        allowed = [name for name in OPERATIONS if name != NO_EDGE]
        if edge.operation not in allowed:
            raise ValueError(f'illegal cell: operation {edge.operation!r} is unknown; allowed are '
                             f"{', '.join(allowed)}, and no edge at all for none")

    @classmethod
    def from_choices(cls, choices: Mapping[Pair, str], num_nodes: int, num_bases: int = 1) -> 'Cell':
        """The cell of a choice per pair of nodes; 'none', and what they cut off, are left out."""
        edges = [Edge(source, target, name) for (source, target), name in choices.items() if name != NO_EDGE]
        return cls(_alive(edges, num_nodes), num_nodes, num_bases)

    def with_bases(self, num_bases: int) -> 'Cell':
        """The same graph with another number of bases."""
        return replace(self, num_bases=num_bases)

    def to_dict(self) -> Dict[str, Any]:
        """JSON-ready form."""
        return dict(num_nodes=self.num_nodes, num_bases=self.num_bases,
                    edges=[[edge.source, edge.target, edge.operation] for edge in self.edges])

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> 'Cell':
        """Inverse of :meth:`to_dict`.

        Raises:
            ValueError: If a key is missing or unknown, or the cell is illegal.
        """
        if not isinstance(data, dict) or set(data) != {'num_nodes', 'num_bases', 'edges'}:
            raise ValueError(f'a cell has the keys num_nodes, num_bases and edges; got {data!r}')
        try:
            edges = tuple(Edge(*row) for row in data['edges'])
        except TypeError as error:
            raise ValueError('a cell\'s edges are rows of source, target and operation; got '
                             f"{data['edges']!r}") from error
        return cls(edges, data['num_nodes'], data['num_bases'])

    def __str__(self) -> str:
        edges = ', '.join(f'{e.source}->{e.target} {e.operation}' for e in self.edges) or 'backbone only'
        return edges + (f', {self.num_bases} bases' if self.num_bases > 1 else '')


def _alive(edges: Sequence[Edge], num_nodes: int) -> Tuple[Edge, ...]:
    """The edges that lie on a way from the input to the output."""
    reached, useful = {0}, {num_nodes - 1}
    for edge in sorted(edges):
        if edge.source in reached:
            reached.add(edge.target)
    for edge in sorted(edges, key=lambda e: -e.target):
        if edge.target in useful:
            useful.add(edge.source)
    return tuple(edge for edge in edges if edge.source in reached and edge.target in useful)


@dataclass(frozen=True)
class CellSpace:
    """What a search may choose for each cell.

    Args:
        num_nodes (int): Nodes, input and output included; every pair of them is an edge to choose. Defaults to 3.
        operations (tuple[str]): Candidates of each edge. Defaults to all that are registered.
        num_bases (int): K parallel binary convolutions in place of each one. Defaults to 1.

    Raises:
        ValueError: If a number is too small, or an operation is unknown or repeated.
    """
    num_nodes: int = 3
    operations: Tuple[str, ...] = tuple(OPERATIONS)
    num_bases: int = 1

    def __post_init__(self) -> None:
        Cell((), self.num_nodes, self.num_bases)
        object.__setattr__(self, 'operations', tuple(self.operations))
        unknown = [name for name in self.operations if name not in OPERATIONS]
        if unknown or len(set(self.operations)) < max(len(self.operations), 2):
            raise ValueError(f'operations is {list(self.operations)}; a space needs two or more different ones of '
                             f'{", ".join(OPERATIONS)}')

    @property
    def pairs(self) -> List[Pair]:
        """The edges to choose, as (source, target), in the order of the rows of alphas."""
        return [(source, target) for target in range(1, self.num_nodes) for source in range(target)]

    def cell(self, choices: Sequence[int]) -> Cell:
        """The cell of one candidate's number per edge."""
        named = {pair: self.operations[choice] for pair, choice in zip(self.pairs, choices)}
        return Cell.from_choices(named, self.num_nodes, self.num_bases)
