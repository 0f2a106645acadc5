"""Gradients of alphas, and a search with a planted answer."""
import copy

import pytest
import torch
from torch import nn

from nasbnn_det.nasb import Cell, CellSite, CellSpace, DiscreteCell, MixedCell, candidate_ops, derive_cells
from nasbnn_det.nasb.gradient import first_order, second_order


def problem():
    """A smooth loss of weights and edges for each half, in double precision."""
    torch.manual_seed(0)
    weights = [nn.Parameter(torch.randn(3, 4, dtype=torch.float64)), nn.Parameter(torch.randn(4, dtype=torch.float64))]
    edges = [nn.Parameter(torch.randn(3, dtype=torch.float64), requires_grad=False)]
    halves = torch.randn(2, 8, 3, dtype=torch.float64)

    def loss(half, w):
        return ((halves[half] * edges[0].softmax(0)) @ w[0] + w[1]).sin().square().mean()

    return weights, edges, loss


def test_first_order_is_the_partial_derivative():
    weights, edges, loss = problem()
    value, (gradient, ) = first_order(lambda: loss(0, weights), edges, weights)
    edges[0].requires_grad_(True)
    expected, = torch.autograd.grad(loss(0, weights), edges)
    assert torch.equal(gradient, expected) and value == loss(0, weights)


def test_second_order_is_the_derivative_through_a_step():
    weights, edges, loss = problem()
    before = [w.detach().clone() for w in weights]
    value, (gradient, ) = second_order(lambda: loss(0, weights), lambda: loss(1, weights), edges, weights, 0.3, 1e-3)
    edges[0].requires_grad_(True)
    descent = torch.autograd.grad(loss(1, weights), weights, create_graph=True)
    ahead = [w - 0.3 * g for w, g in zip(weights, descent)]
    expected, = torch.autograd.grad(loss(0, ahead), edges)
    partial, = torch.autograd.grad(loss(0, [a.detach() for a in ahead]), edges)
    torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-7)
    assert (partial - expected).norm() > 0.05 * expected.norm(), 'the step ahead does not matter here'
    assert all(torch.equal(w, b) and w.requires_grad for w, b in zip(weights, before))
    assert value == pytest.approx(loss(0, ahead).item())


@pytest.mark.parametrize('planted, order', [('none', 1), ('max_pool_3x3', 1), ('avg_pool_3x3', 1),
                                            ('bin_dil_conv_3x3', 1), ('max_pool_3x3', 2)])
def test_search_finds_the_planted_operation(planted, order):
    """The target is a cell with one known edge; only that operation can bring the loss down on new images."""
    torch.manual_seed(0)
    channels, space = 8, CellSpace(num_nodes=2)
    edges = () if planted == 'none' else ((0, 1, planted), )
    teacher = DiscreteCell(channels, channels, 3, 1, Cell(edges)).train()
    mixed = MixedCell(channels, channels, 3, 1, space).train()
    mixed.backbone.load_state_dict(copy.deepcopy(teacher.backbone.state_dict()))
    weights = [p for p in mixed.parameters() if p.requires_grad]
    optimizers = torch.optim.Adam(weights, 0.01), torch.optim.Adam([mixed.alphas], 0.05)
    batches = torch.randn(2, 8, 8, channels, 6, 6)

    def loss(half, step):
        x = batches[half, step % len(batches[half])]
        with torch.no_grad():
            target = teacher(x)
        return (mixed(x) - target).square().mean()

    steps = 120
    for step in range(steps):
        mixed.temperature.fill_(0.2**(step / steps))
        if order == 1:
            _, (gradient, ) = first_order(lambda: loss(1, step), [mixed.alphas], weights)
        else:
            _, (gradient, ) = second_order(lambda: loss(1, step), lambda: loss(0, step), [mixed.alphas], weights,
                                           0.01)
        mixed.alphas.grad = gradient
        optimizers[1].step()
        optimizers[0].zero_grad()
        loss(0, step).backward()
        optimizers[0].step()
    site = CellSite('layer1.0.conv1', channels, channels, 1, 1)
    cell, = derive_cells([mixed.probabilities().detach().numpy()], space, [candidate_ops(space, site, (8, 8))])
    assert [edge.operation for edge in cell.edges] == [name for *_, name in edges]
