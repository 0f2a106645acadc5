"""Weights whose keys and shapes fit and which are still of another network: refused in one sentence, whoever wrote them."""
import pytest
import torch
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner.checkpoint import load_checkpoint

from nasbnn_det.arch import Arch, get_space
from nasbnn_det.nasb import CellNet
from nasbnn_det.supernet import Subnet, Supernet, extract_subnet, save_subnet, save_supernet

TABLE = [((8, ), (1, ), (3, ), (1, ), (1, ), 2), ((8, 16), (1, ), (3, 5), (1, ), (1, ), 2)]
# As above, without the second stride: no key and no shape tells them apart.
OTHER_TABLE = [TABLE[0], (*TABLE[1][:-1], 1)]
SPACE, OTHER_SPACE = get_space(TABLE), get_space(OTHER_TABLE)
ARCH, OTHER_ARCH = Arch.biggest(SPACE), Arch.biggest(OTHER_SPACE)
# Both rules give a layer the same keys and shapes.
RULE, OTHER_RULE = 'standardized', 'reactnet'
RULE_WORDS = r'is binarised by .*standardize=True.*, this network.s by magnitude.*; set binarization accordingly'
ARCH_WORDS = r'the checkpoint holds the architecture custom\[.*\], this network is custom\[.*\]'
PLAIN = CellNet.plain(18).to_dict()


def nasb(operation='avg_pool_3x3', **kwargs):
    cells = dict(PLAIN, cells=dict(PLAIN['cells'], **{
        'layer1.0.conv1': dict(num_nodes=2, num_bases=1, edges=[[0, 1, operation]])}))
    return dict(type='nasbnn_det.NASBResNet', depth=18, base_channels=4, cells=cells, **{'binarization': RULE, **kwargs})


def nasbnn(arch=ARCH, binarization=RULE):
    return dict(type='nasbnn_det.NASBNN', arch=arch, out_indices=(0, 1), binarization=binarization)


def classifier(**kwargs):
    init_default_scope('mmpretrain')
    return MODELS.build(dict(
        type='ImageClassifier', backbone=dict(nasbnn(**kwargs), out_indices=(1, )), neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=16)))


def detector(backbone):
    init_default_scope('mmdet')
    return MODELS.build(dict(
        type='nasbnn_det.BinaryRTMDet', backbone=backbone, neck=dict(type='nasbnn_det.BinaryPAFPN', out_channels=8),
        bbox_head=dict(type='nasbnn_det.BinaryRTMDetHead', num_classes=2, feat_channels=8, stacked_convs=1,
                       anchor_generator=dict(type='MlvlPointGenerator', offset=0, strides=[4, 8]),
                       bbox_coder=dict(type='DistancePointBBoxCoder'), loss_bbox=dict(type='GIoULoss')),
        train_cfg=None, test_cfg=None))


def same_form(a, b):
    """Whether keys and shapes alone let one state pass for the other."""
    return {k: v.shape for k, v in a.items() if 'json' not in k} == {k: v.shape for k, v in b.items() if 'json' not in k}


@pytest.mark.parametrize('make, own, other, words', [
    (lambda **k: Subnet(k.get('arch', ARCH), 3, k.get('binarization', RULE)), dict(binarization=OTHER_RULE), {}, RULE_WORDS),
    (lambda **k: Subnet(k.get('arch', ARCH), 3, k.get('binarization', RULE)), dict(arch=OTHER_ARCH), {}, ARCH_WORDS),
    (lambda **k: Supernet(k.get('space', SPACE), 3, k.get('binarization', RULE)), dict(binarization=OTHER_RULE), {},
     r"the checkpoint holds a supernet .*standardize=True.* differs from this supernet's .*magnitude"),
    (lambda **k: Supernet(k.get('space', SPACE), 3, k.get('binarization', RULE)), dict(space=OTHER_SPACE), {},
     r"the checkpoint holds a supernet of space 'custom' .* differs from this supernet's space 'custom'"),
    (classifier, dict(binarization=OTHER_RULE), {}, RULE_WORDS),
    (classifier, dict(arch=OTHER_ARCH), {}, ARCH_WORDS),
    (lambda **k: detector(nasbnn(**k)), dict(binarization=OTHER_RULE), {}, RULE_WORDS),
    (lambda **k: detector(nasbnn(**k)), dict(arch=OTHER_ARCH), {}, ARCH_WORDS),
    (lambda **k: detector(dict(nasb(**k), out_indices=(0, 1))), dict(binarization=OTHER_RULE), {}, RULE_WORDS),
    (lambda **k: detector(dict(nasb(**k), out_indices=(0, 1))), dict(operation='max_pool_3x3'), {},
     "the checkpoint's backbone and this one have different cells: "),
])
def test_a_runner_s_checkpoint_of_another_network_is_refused(tmp_path, make, own, other, words):
    written, reading = make(**other), make(**own)
    assert same_form(written.state_dict(), reading.state_dict())
    torch.save(dict(state_dict=written.state_dict(), meta={}), tmp_path / 'epoch_1.pth')
    with pytest.raises(ValueError, match=words) as error:
        load_checkpoint(reading, str(tmp_path / 'epoch_1.pth'), strict=False)
    assert '\n' not in str(error.value)
    again = make(**other)
    load_checkpoint(again, str(tmp_path / 'epoch_1.pth'), strict=False)
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in written.state_dict().items())


@pytest.mark.parametrize('own, words', [(dict(binarization=OTHER_RULE), RULE_WORDS), (dict(arch=OTHER_ARCH), ARCH_WORDS)])
@pytest.mark.parametrize('source', ['supernet', 'subnet', 'classifier', 'detector'])
def test_a_backbone_does_not_start_from_another_network(tmp_path, source, own, words):
    supernet, path = Supernet(SPACE, 3, RULE), tmp_path / 'weights.pth'
    if source == 'supernet':
        save_supernet(path, supernet)
        if 'arch' in own:
            words = "architecture of space 'custom' given to a supernet of space 'custom'"
    elif source == 'subnet':
        save_subnet(path, extract_subnet(supernet, ARCH))
    else:
        model = classifier() if source == 'classifier' else detector(nasbnn())
        torch.save(dict(state_dict=model.state_dict(), meta={}), path)
    for kwargs in ({}, own):
        cfg = dict(nasbnn(**kwargs), init_cfg=dict(type='Pretrained', checkpoint=str(path)))
        if not kwargs:
            MODELS.build(cfg).init_weights()
            continue
        with pytest.raises(ValueError, match=words) as error:
            MODELS.build(cfg).init_weights()
        assert '\n' not in str(error.value)
