"""The backbones NASBResNet and NASBSearchResNet: the contract of a backbone, and weights that travel between them."""
import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip('mmengine')

from random_cells import cells  # noqa: E402
from torch import nn  # noqa: E402

from nasbnn_det.costs.module_ops import count_model_ops, total  # noqa: E402
from nasbnn_det.nasb import CellNet, MixedCell, ResNetShape, StemShape, count_net_ops  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402

SMALL = dict(kernel_size=3, stride=1, pool=False)


def build(**kwargs):
    """A narrow backbone by its config."""
    torch.manual_seed(0)
    return MODELS.build(dict(dict(type='nasbnn_det.NASBResNet', depth=18, base_channels=4), **kwargs))


def build_mixed(**kwargs):
    """A narrow mixed backbone with alphas that choose, sharply."""
    net = build(type='nasbnn_det.NASBSearchResNet', space=dict(num_nodes=3), **kwargs)
    for cell in net.cells.values():
        nn.init.normal_(cell.alphas, std=1e5)
    return net


def chosen(net):
    """The cells a mixed backbone's alphas choose."""
    return CellNet(net.shape.depth, tuple(c.space.cell(c.alphas.argmax(1).tolist()) for c in net.cells.values()))


def shake(net):
    """Statistics of its own, as after training."""
    with torch.no_grad():
        net.train()(torch.randn(4, 3, 32, 32))
    return net.eval()


@given(st.data(), st.sampled_from((18, 34, 50)), st.integers(33, 70), st.integers(33, 70))
@settings(max_examples=6)
@torch.no_grad()
def test_channels_strides_sizes_and_operations(data, depth, height, width):
    found = tuple(data.draw(cells()) for _ in range(3))
    places = len(ResNetShape(depth).sites)
    net = CellNet(depth, (found * places)[:places])
    out_indices = sorted(data.draw(st.sets(st.integers(0, 3), min_size=1)))
    stem = data.draw(st.sampled_from((None, SMALL)))
    projection = data.draw(st.booleans())
    model = build(depth=depth, cells=net.to_dict(), out_indices=out_indices, stem=stem, projection=projection).eval()
    outs = model(torch.randn(2, 3, height, width))
    shape = ResNetShape(depth, 4, StemShape(**(stem or {})))
    assert model.out_channels == tuple(shape.stage_channels[i] for i in out_indices)
    assert model.out_strides == tuple(shape.stage_strides[i] for i in out_indices)
    assert [o.shape for o in outs] == [(2, c, -(-height // s), -(-width // s))
                                       for c, s in zip(model.out_channels, model.out_strides)]
    full = build(depth=depth, cells=net, stem=stem, projection=projection)
    counted = total(count_model_ops(full, (height, width)))
    assert counted == count_net_ops(net, shape, (height, width), full.rules).total


def test_plain_is_the_default_and_bases_multiply():
    plain, double = build(), build(num_bases=2)
    assert all(not cell.edges for cell in plain.net.cells)
    ops = [total(count_model_ops(net, (64, 64))) for net in (plain, double)]
    assert ops[1].bops == 2 * ops[0].bops and ops[1].int8_macs == ops[0].int8_macs


def test_no_float_convolution_unless_asked_for():
    for depth in (18, 50):
        assert total(count_model_ops(build(depth=depth), (64, 64))).float_macs == 0
        assert total(count_model_ops(build(depth=depth, projection=True), (64, 64))).float_macs > 0


@pytest.mark.parametrize('kwargs, words', [
    (dict(depth=20), 'depth is 20; allowed are 18, 34, 50'),
    (dict(out_indices=(2, 4)), 'allowed are stages 0 to 3'),
    (dict(out_indices=()), 'allowed are stages 0 to 3'),
    (dict(out_indices=(2, 1)), 'ascending, without repeats'),
    (dict(frozen_stages=5), 'frozen_stages is 5; allowed are -1'),
    (dict(stem=dict(width=3)), 'stem has no width; allowed are kernel_size, stride, pool'),
    (dict(binarization='half'), "'half' is unknown; allowed are"),
    (dict(cells=CellNet.plain(34).to_dict()), 'the cells are of a ResNet-34'),
    (dict(base_channels=0), 'base_channels is 0'),
    (dict(init_cfg=dict(type='Pretrained', checkpoint='x', map='cpu')), 'unknown keys'),
    (dict(type='nasbnn_det.NASBSearchResNet', space=dict(nodes=3)), 'space has no nodes; allowed are num_nodes'),
])
def test_bad_arguments(kwargs, words):
    with pytest.raises(ValueError, match=words):
        build(**kwargs).init_weights()


@pytest.mark.parametrize('kind', ['nasbnn_det.NASBResNet', 'nasbnn_det.NASBSearchResNet'])
@pytest.mark.parametrize('frozen', [-1, 0, 2, 4])
def test_frozen_stages(kind, frozen):
    net = build(type=kind, frozen_stages=frozen).train()
    for _ in range(2):
        for i, stage in enumerate((net.stem, net.layer1, net.layer2, net.layer3, net.layer4)):
            free = i > frozen
            names = [n for n, p in stage.named_parameters() if p.requires_grad != free]
            assert all(n.endswith('alphas') for n in names)
            assert all(m.training == free for m in stage.modules())
        net.eval().train()


def test_norm_eval_and_checkpointing():
    net = build(norm_eval=True).train()
    assert not any(m.training for m in net.modules() if isinstance(m, nn.BatchNorm2d)) and net.stem[0].conv.training
    plain, saving = build(norm_eval=True).train(), build(norm_eval=True, with_cp=True).train()
    x = torch.randn(2, 3, 33, 47)
    for model in (plain, saving):
        sum((o * o).mean() for o in model(x)).backward()
    for (name, a), b in zip(plain.named_parameters(), saving.parameters()):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-7, msg=name)


# Weights.


@torch.no_grad()
def test_search_checkpoint_becomes_the_found_network(tmp_path):
    mixed = shake(build_mixed(stem=SMALL))
    torch.save(dict(state_dict={f'backbone.{k}': v for k, v in mixed.state_dict().items()}), tmp_path / 'search.pth')
    pretrained = dict(type='Pretrained', checkpoint=str(tmp_path / 'search.pth'))
    x = torch.randn(2, 3, 33, 31)
    found = build(cells=chosen(mixed), stem=SMALL, init_cfg=pretrained)
    found.init_weights()
    for a, b in zip(found.eval()(x), mixed(x)):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)
    again = build(type='nasbnn_det.NASBSearchResNet', stem=SMALL, init_cfg=pretrained)
    again.init_weights()
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), mixed.state_dict().values()))


@torch.no_grad()
def test_found_network_goes_into_a_detector(tmp_path):
    net = shake(build(cells=CellNet.plain(18)))
    torch.save(dict(state_dict={**{f'backbone.{k}': v for k, v in net.state_dict().items()}, 'head.x': torch.ones(1)}),
               tmp_path / 'classifier.pth')
    again = build(out_indices=(1, 2, 3), init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'classifier.pth')))
    again.init_weights()
    x = torch.randn(1, 3, 64, 64)
    assert all(torch.equal(a, b) for a, b in zip(again.eval()(x), net(x)[1:]))


@pytest.mark.parametrize('change, words', [
    (lambda s: s.pop('layer1.0.conv1.backbone.0.bn.bias'), '1 missing'),
    (lambda s: s.update({'layer1.0.conv1.edges.0_1.bn.bias': torch.zeros(4)}), '1 left over'),
    (lambda s: s.update({'layer1.0.conv1.backbone.0.bn.bias': torch.zeros(5)}), '1 of another shape'),
])
def test_wrong_weights_raise_even_non_strictly(tmp_path, change, words):
    net = build()
    state = copy.deepcopy(net.state_dict())
    net.load_state_dict(state, strict=False)
    change(state)
    with pytest.raises(ValueError, match=words):
        net.load_state_dict(state, strict=False)
    torch.save(dict(state_dict=state), tmp_path / 'bad.pth')
    with pytest.raises(ValueError, match=words + '.*allowed is a checkpoint of exactly these cells'):
        build(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'bad.pth'))).init_weights()


def test_edge_weights_are_not_trained_by_ordinary_training():
    net = build(type='nasbnn_det.NASBSearchResNet', stem=SMALL).train()
    sum(o.sum() for o in net(torch.randn(2, 3, 16, 16))).backward()
    for cell in net.modules():
        if isinstance(cell, MixedCell):
            assert cell.alphas.grad is None and torch.allclose(cell.probabilities(), torch.tensor(1 / 7))
