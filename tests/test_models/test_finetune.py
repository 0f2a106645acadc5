"""Deployment B: an extracted network as MMPretrain's classifier, and back as a detector's backbone."""
import copy

import pytest
import torch

pytest.importorskip('mmpretrain')

from mmengine.optim import OptimWrapper  # noqa: E402
from mmengine.registry import MODELS, init_default_scope  # noqa: E402
from mmpretrain.structures import DataSample  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.binary import get_binarization
from nasbnn_det.models.backbones import NASBNN  # noqa: E402
from nasbnn_det.supernet import Subnet, Supernet, extract_subnet, load_supernet, save_subnet, save_supernet  # noqa: E402

ARCH = Arch.smallest(SPACES['tiny'])


def build(checkpoint, num_classes=3, arch=ARCH, binarization='nasbnn'):
    """The classifier as the fine-tuning configs describe it."""
    init_default_scope('mmpretrain')
    pretrained = dict(type='Pretrained', checkpoint=str(checkpoint))
    model = MODELS.build(dict(
        type='nasbnn_det.BinaryClassifier',
        backbone=dict(type='nasbnn_det.NASBNN', arch=arch.to_dict(), out_indices=(4, ), binarization=binarization,
                      init_cfg=pretrained),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='nasbnn_det.SubnetClsHead', num_classes=num_classes, init_cfg=pretrained)))
    model.init_weights()
    return model


@pytest.fixture
def subnet(tmp_path):
    """An extracted network and its file."""
    torch.manual_seed(0)
    net = extract_subnet(Supernet('tiny', 3), ARCH)
    save_subnet(tmp_path / 'subnet.pth', net)
    return net, tmp_path / 'subnet.pth'


def test_starts_as_the_extracted_network(subnet):
    net, path = subnet
    model, x = build(path).eval(), torch.randn(2, 3, 33, 47)
    assert torch.equal(model.head(model.extract_feat(x)), net(x))


def test_trains_and_goes_back_into_a_backbone(subnet, tmp_path):
    model, x = build(subnet[1]).train(), torch.randn(4, 3, 32, 32)
    data = dict(inputs=x, data_samples=[DataSample().set_gt_label(i % 3) for i in range(4)])
    before = copy.deepcopy(model.state_dict())
    model.train_step(data, OptimWrapper(torch.optim.Adam(model.parameters(), 1e-3)))
    assert not torch.equal(model.head.fc.weight, before['head.fc.weight'])
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'tuned.pth')
    backbone = NASBNN(ARCH, (4, ), init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'tuned.pth')))
    backbone.init_weights()
    assert torch.equal(backbone.eval()(x)[0], model.backbone.eval()(x)[0])


def test_another_number_of_classes_is_refused(subnet):
    with pytest.raises(ValueError, match='2 of another shape.*an extracted subnet with 7 classes'):
        build(subnet[1], num_classes=7)


@pytest.mark.parametrize('rules', ['standardized', dict(type='nasbnn', weights=dict(
    type='nasbnn', bi_transform=True, standardize=False)), 'xnor'])
def test_rules_of_binarisation_travel_and_must_agree(tmp_path, rules):
    supernet = Supernet('tiny', 3, rules)
    save_supernet(tmp_path / 'supernet.pth', supernet)
    loaded = load_supernet(tmp_path / 'supernet.pth')
    assert loaded.binarization == get_binarization(rules)
    save_subnet(tmp_path / 'subnet.pth', extract_subnet(loaded, ARCH))
    for name in ('supernet.pth', 'subnet.pth'):
        with pytest.raises(ValueError, match='is binarised by .*, this network.s by .*; set binarization accordingly'):
            NASBNN(ARCH, (4, ), init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / name))).init_weights()
    x = torch.randn(2, 3, 32, 32)
    model = build(tmp_path / 'subnet.pth', binarization=rules).eval()
    assert torch.equal(model.head(model.extract_feat(x)), extract_subnet(supernet, ARCH)(x))
    with pytest.raises(ValueError, match='differs from this supernet'):
        Supernet('tiny', 3).load_state_dict(supernet.state_dict())


def test_the_rules_change_the_weights():
    torch.manual_seed(0)
    nets = [Subnet(ARCH, 3, binarization) for binarization in ('standardized', 'reactnet')]
    nets[1].load_state_dict({k: v for k, v in nets[0].state_dict().items() if 'rule_json' not in k}, strict=False)
    first, second = (net.stages[0][0].conv1.conv.binary_weight() for net in nets)
    assert not torch.equal(first, second)


def test_a_head_without_channels_needs_a_backbone_that_says_its_own():
    init_default_scope('mmpretrain')
    head = dict(type='LinearClsHead', num_classes=3)
    with pytest.raises(ValueError, match=r'model.head.in_channels is not given, and the backbone \(VGG\)'):
        MODELS.build(dict(type='nasbnn_det.BinaryClassifier', backbone=dict(type='VGG', depth=11), head=head))
