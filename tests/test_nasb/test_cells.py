"""Cells as values and as networks: round trips, shapes, counts, and the two forms with the same numbers."""
import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from random_cells import cells, choices, sites, spaces
from torch import nn

from nasbnn_det.binary import BinaryConvModule
from nasbnn_det.costs import Ops, conv_size
from nasbnn_det.costs.module_ops import recording
from nasbnn_det.nasb import (
    OPERATIONS,
    Cell,
    CellNet,
    CellRules,
    CellSite,
    CellSpace,
    DiscreteCell,
    Edge,
    MixedCell,
    ResNetShape,
    candidate_ops,
    count_cell_ops,
    count_params,
    derive_cells,
    load_cells,
    register_operation,
)
from nasbnn_det.nasb.checkpoint import discrete_state

sizes = st.tuples(st.integers(3, 9), st.integers(3, 9))


# Values.


@given(cells())
def test_json_round_trip(cell):
    assert Cell.from_dict(json.loads(json.dumps(cell.to_dict()))) == cell
    assert hash(Cell.from_dict(cell.to_dict())) == hash(cell)


@given(st.lists(cells(), min_size=16, max_size=16))
def test_file_round_trip(tmp_path, found):
    net = CellNet(18, tuple(found), dict(seed=3))
    net.save(tmp_path / 'cells.json')
    loaded = load_cells(str(tmp_path / 'cells.json'), 18)
    assert loaded == net and loaded.info == net.info
    assert load_cells(json.loads((tmp_path / 'cells.json').read_text()), 18) == net


@given(spaces(), st.data())
def test_choices_make_legal_cells_without_dead_edges(space, data):
    chosen = data.draw(choices(space))
    named = {pair: space.operations[c] for pair, c in zip(space.pairs, chosen)}
    cell = space.cell(chosen)
    assert {((e.source, e.target), e.operation) for e in cell.edges} <= set(named.items())
    ways = {0: True}
    for node in range(1, space.num_nodes):
        ways[node] = any(ways[s] and named[s, node] != 'none' for s in range(node))
    # Every edge into the output that starts somewhere reachable is kept.
    last = space.num_nodes - 1
    kept = {(e.source, e.target) for e in cell.edges}
    assert all(((s, last) in kept) == (ways[s] and named[s, last] != 'none') for s in range(last))


@pytest.mark.parametrize('make, words', [
    (lambda: Cell(((0, 2, 'skip_connect'), )), 'edges run from a lower to a higher node, 0 to 1'),
    (lambda: Cell(((1, 0, 'skip_connect'), )), 'from node 1 to node 0'),
    (lambda: Cell(((0, 1, 'none'), )), "'none' is unknown; allowed are skip_connect, .*no edge at all for none"),
    (lambda: Cell(((0, 1, 'conv'), )), "operation 'conv' is unknown"),
    (lambda: Cell(((0, 1, 'skip_connect'), (0, 1, 'avg_pool_3x3'))), 'more than one edge from node 0 to node 1'),
    (lambda: Cell(((0, 1, 'skip_connect'), ), 3), 'from node 0 to node 1 lies on no way'),
    (lambda: Cell(((1, 2, 'skip_connect'), ), 3), 'from node 1 to node 2 lies on no way'),
    (lambda: Cell(num_bases=0), 'num_bases is 0; it must be an integer of at least 1'),
    (lambda: Cell(num_nodes=True), 'num_nodes is True'),
    (lambda: Cell.from_dict(dict(edges=[])), 'a cell has the keys num_nodes, num_bases and edges'),
    (lambda: Cell.from_dict(dict(edges=[[0]], num_nodes=2, num_bases=1)), 'rows of source, target and operation'),
    (lambda: CellSpace(operations=('none', 'conv')), 'two or more different ones of none, skip_connect'),
    (lambda: CellSpace(operations=('none', 'none')), 'two or more different ones'),
    (lambda: CellSpace(num_nodes=1), 'num_nodes is 1'),
    (lambda: CellNet(18, (Cell(), )), '1 cells for a ResNet-18, which has places for 16'),
    (lambda: CellNet.plain(20), 'depth is 20; allowed are 18, 34, 50'),
    (lambda: CellNet.from_dict(dict(cells={})), 'allowed is what a NASB search writes'),
    (lambda: CellNet.from_dict(dict(CellNet.plain(18).to_dict(), depth=34)), 'missing or left over: layer1.2.conv1'),
    (lambda: load_cells(CellNet.plain(34), 18), 'the cells are of a ResNet-34, the backbone has depth 18'),
])
def test_wrong_values_are_refused_in_one_sentence(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_wrong_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match='a NASB search writes cells.json'):
        load_cells(str(tmp_path / 'none.json'), 18)
    for text, words in (('{', 'is no JSON file'), ('[]', 'no set of cells')):
        (tmp_path / 'bad.json').write_text(text)
        with pytest.raises(ValueError, match=words):
            load_cells(str(tmp_path / 'bad.json'), 18)


def test_an_operation_of_ones_own_can_be_chosen():
    try:
        @register_operation('half')
        class Half(OPERATIONS['skip_connect']):
            pass
        cell = Cell(((0, 1, 'half'), ))
        assert isinstance(DiscreteCell(4, 8, 3, 2, cell).edges['0_1'], Half)
        with pytest.raises(ValueError, match="operation 'half' is taken by Half"):
            register_operation('half')(Half)
    finally:
        del OPERATIONS['half']


# Networks.


def settle(module):
    """Statistics and shifts of their own in every layer, then evaluation mode."""
    for m in module.modules():
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.running_mean)
            nn.init.uniform_(m.running_var, 0.5, 2)
            nn.init.normal_(m.weight)
            nn.init.normal_(m.bias)
    return module.eval()


@given(cells(), sites, sizes, st.booleans())
@torch.no_grad()
def test_shapes_and_counted_operations(cell, site, size, projection):
    rules = CellRules(projection=projection)
    module = DiscreteCell(site.in_channels, site.out_channels, 3, site.stride, cell, rules).eval()
    expected = conv_size(size, site.stride)
    with recording(module) as counts:
        y = module(torch.randn(1, site.in_channels, *size))
    assert y.shape == (1, site.out_channels, *expected)
    assert sum(counts.values(), Ops()) == count_cell_ops(cell, site, expected, rules)


@given(cells(), sites)
def test_binary_weights_are_counted_by_precision(cell, site):
    module = DiscreteCell(site.in_channels, site.out_channels, 3, site.stride, cell)
    params = count_params(module)
    # At a size of one pixel a convolution has as many multiply-accumulates as weights.
    assert params.bits1 == count_cell_ops(cell, site, (1, 1)).bops and params.bits8 == 0
    assert params.total == sum(p.numel() for p in module.parameters())


@given(spaces(), sites, sizes, st.data())
@torch.no_grad()
def test_mixed_with_one_hot_edge_weights_is_the_discrete_cell(space, site, size, data):
    chosen = data.draw(choices(space))
    args = site.in_channels, site.out_channels, 3, site.stride
    mixed = settle(MixedCell(*args, space))
    for row, choice in zip(mixed.alphas, chosen):
        row[choice] = 1e3
    net = CellNet(18, (space.cell(chosen), ) + (Cell(), ) * 15)
    discrete = DiscreteCell(*args, net.cells[0])
    state = {f'layer1.0.conv1.{key}': value for key, value in mixed.state_dict().items()}
    found = discrete_state(state, net)
    discrete.load_state_dict({key.removeprefix('layer1.0.conv1.'): value for key, value in found.items()}, strict=True)
    x = torch.randn(3, site.in_channels, *size)
    torch.testing.assert_close(discrete.eval()(x), mixed(x), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_cell_without_edges_is_the_brick():
    cell, brick = DiscreteCell(4, 8, 3, 2, Cell()), BinaryConvModule(4, 8, 3, 2)
    brick.load_state_dict(cell.backbone[0].state_dict())
    x = torch.randn(2, 4, 7, 7)
    assert torch.equal(settle(cell)(x), cell.backbone[0](x)) and len(cell.state_dict()) == len(brick.state_dict())


def test_bases_add_convolutions_of_their_own():
    single, double = (DiscreteCell(4, 4, 3, 1, Cell(((0, 1, 'bin_conv_3x3'), ), num_bases=k)) for k in (1, 2))
    x = torch.randn(2, 4, 6, 6)
    with recording(single) as one, recording(double) as two:
        single(x), double(x)
    assert len(one) == 2 and len(two) == 4
    double(x).sum().backward()
    first, second = (base[0] for base in double.edges['0_1'].bases)
    assert not torch.equal(first.weight, second.weight) and second.sign.bias.grad is not None


@pytest.mark.parametrize('name', [name for name in OPERATIONS if name != 'none'])
def test_candidates_of_an_edge_have_the_same_scale(name):
    torch.manual_seed(0)
    op = OPERATIONS[name](8, 8, 1, 1, CellRules()).train()
    y = op(5 * torch.randn(16, 8, 8, 8))
    torch.testing.assert_close(y.std((0, 2, 3)), torch.ones(8), rtol=0.02, atol=0.02)


def test_float_twin_and_projection():
    twin = DiscreteCell(4, 8, 3, 2, Cell(((0, 1, 'bin_conv_5x5'), )), CellRules(binarization='float'))
    assert not any(getattr(m, 'weight_bits', 32) == 1 for m in twin.modules())
    plain, extra = (DiscreteCell(4, 8, 3, 2, Cell(), CellRules(projection=p)) for p in (False, True))
    assert not any(type(m) is nn.Conv2d for m in plain.modules())
    assert sum(type(m) is nn.Conv2d for m in extra.modules()) == 1
    same = DiscreteCell(8, 8, 3, 1, Cell(), CellRules(projection=True))
    assert not any(type(m) is nn.Conv2d for m in same.modules())


# Choosing.


@given(spaces(), st.lists(sites, min_size=1, max_size=4), st.floats(0, 1), st.integers(0, 99))
def test_chosen_cells_keep_the_bound_and_are_the_best_without_one(space, places, share, seed):
    rng = np.random.default_rng(seed)
    probabilities = [rng.dirichlet(np.ones(len(space.operations)), len(space.pairs)) for _ in places]
    costs = [candidate_ops(space, site, (4, 4)) for site in places]
    best = derive_cells(probabilities, space, costs)
    assert best == tuple(space.cell(p.argmax(1)) for p in probabilities)
    least, most = (sum(getattr(c, how)(1).sum() for c in costs) for how in ('min', 'max'))
    bound = least + share * (most - least)
    plain = [count_cell_ops(Cell(num_bases=space.num_bases), site, (4, 4)).ops for site in places]
    chosen = derive_cells(probabilities, space, costs, bound)
    added = sum(count_cell_ops(cell, site, (4, 4)).ops for cell, site in zip(chosen, places)) - sum(plain)
    assert added <= bound * (1 + 1e-9)
    if least > 0:
        with pytest.raises(ValueError, match='no choice of edges adds at most'):
            derive_cells(probabilities, space, costs, least * 0.9)


def test_a_bound_takes_back_what_loses_least_per_operation():
    space = CellSpace(2, ('none', 'bin_conv_3x3'))
    places = [CellSite('a', 4, 4, 1, 1)] * 2
    costs = [candidate_ops(space, site, (4, 4)) for site in places]
    probabilities = [np.array([[0.1, 0.9]]), np.array([[0.4, 0.6]])]
    kept = derive_cells(probabilities, space, costs, costs[0].max())
    assert [len(cell.edges) for cell in kept] == [1, 0] and kept[0].edges == (Edge(0, 1, 'bin_conv_3x3'), )


@pytest.mark.parametrize('depth, cells_in_it', [(18, 16), (34, 32), (50, 16)])
def test_places_of_a_resnet(depth, cells_in_it):
    shape = ResNetShape(depth)
    assert len(shape.sites) == cells_in_it and shape.stage_strides == (4, 8, 16, 32)
    assert shape.stage_channels[-1] == (2048 if depth == 50 else 512)
    assert shape.site_sizes((224, 224))[-1] == (7, 7)
