"""Small search spaces and their architectures: a fixed one, and Hypothesis strategies for random ones."""
import numpy as np
from hypothesis import strategies as st

from nasbnn_det.arch import Arch, SearchSpace

#: For tests that name values: the shipped spaces may change, this one does not.
FIXED = SearchSpace.from_table([
    ((16, 24), (1, ), (3, ), (1, ), (1, ), 2),
    ((48, 64), (1, ), (3, ), (1, ), (1, ), 2),
    ((96, 128), (1, 2), (3, 5), (1, 2), (1, ), 2),
    ((192, 256), (1, 2), (3, 5), (2, 4), (1, ), 2),
    ((256, 384), (1, 2), (3, 5), (4, 8), (1, ), 2),
], 'fixed')
_WIDTHS = (8, 12, 16, 24)


def subsets(values, max_size=None):
    """Ascending, not empty, no repeats."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=max_size, unique=True).map(lambda v: tuple(sorted(v)))


@st.composite
def spaces(draw, max_stages=3, kernels=(1, 3, 5, 7), strides=(1, 2, 3), non_decreasing=None):
    """Legal spaces of a stem and up to ``max_stages`` stages, narrow enough to run."""
    nd = draw(st.booleans()) if non_decreasing is None else non_decreasing
    table = [(draw(subsets((4, 8, 12), 2)), (1, ), (3, ), (1, ), (1, ), draw(st.sampled_from((1, 2))))]
    for _ in range(draw(st.integers(1, max_stages))):
        floor = table[-1][0][-1] if nd else 0
        widest = draw(st.sampled_from([w for w in _WIDTHS if w >= floor]))
        channels = tuple(sorted({widest, *draw(subsets([w for w in _WIDTHS if w <= widest], 2))}))
        table.append((channels, draw(subsets((1, 2, 3), 2)), draw(subsets(kernels, 2)), draw(subsets((1, 2, 4), 2)),
                      draw(subsets((1, 2, 4), 2)), draw(st.sampled_from(strides))))
    return SearchSpace.from_table(table, 'drawn', nd)


def generators():
    """Seeded random generators."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


@st.composite
def archs(draw, **kwargs):
    """Random architectures of random spaces."""
    return Arch.random(draw(spaces(**kwargs)), draw(generators()))
