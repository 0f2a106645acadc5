"""Strategies for property tests: random choices, cells and places."""
from hypothesis import strategies as st

from nasbnn_det.nasb import OPERATIONS, Cell, CellSite, CellSpace


@st.composite
def spaces(draw):
    """Random cell spaces."""
    operations = draw(st.permutations(list(OPERATIONS)))[:draw(st.integers(2, len(OPERATIONS)))]
    return CellSpace(draw(st.integers(2, 4)), tuple(operations), draw(st.integers(1, 2)))


@st.composite
def choices(draw, space):
    """A candidate's number per edge of a space."""
    return [draw(st.integers(0, len(space.operations) - 1)) for _ in space.pairs]


@st.composite
def cells(draw):
    """Random legal cells."""
    space = draw(spaces())
    return space.cell(draw(choices(space)))


#: Places for cells: channels that stay, grow and shrink, with and without stride.
sites = st.builds(CellSite, st.just('layer1.0.conv1'), st.sampled_from((4, 6, 8)), st.sampled_from((4, 8, 12)),
                  st.sampled_from((1, 2)), st.just(1))

__all__ = ['Cell', 'cells', 'choices', 'sites', 'spaces']
