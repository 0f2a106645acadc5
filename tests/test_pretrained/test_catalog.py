"""Weights by name, wherever a checkpoint or an architecture is asked for."""
import json

import pytest
import torch

pytest.importorskip('mmpretrain')

from mmengine.runner import CheckpointLoader  # noqa: E402

from nasbnn_det.apis import describe, list_models  # noqa: E402
from nasbnn_det.apis.publish import publish, read_subnet  # noqa: E402
from nasbnn_det.arch import Arch, get_space, load_arch  # noqa: E402
from nasbnn_det.pretrained import Entry, catalog, locate, two_bit  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402
from nasbnn_det.supernet import Subnet  # noqa: E402

SPACE = [[[8], [1], [3], [1], [1], 2], [[16, 24], [1, 2], [3, 5], [1, 2], [1], 2], [[24, 32], [2], [3], [2], [1], 2]]
NAME = 'nasbnn_det://toy'


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """An installation with one model."""
    torch.manual_seed(0)
    net = Subnet(Arch.smallest(get_space(SPACE)), 5).eval()
    file = tmp_path / 'toy.safetensors'
    two_bit.write(file, net, net.arch.to_json())
    entry = Entry('toy', '', 0, 1.25, 32, 'made images', 5, {'accuracy/top1': 42.5}, 'none')
    publish(file, entry, 'A toy.', 'CC0')
    monkeypatch.setattr(catalog, 'FOLDER', tmp_path)
    return read_subnet(file), file


def test_names_and_what_is_known_of_them(installed):
    assert list_models() == ['toy']
    entry = describe(NAME)
    assert entry == describe('toy')
    assert entry.bytes == installed[1].stat().st_size and entry.metrics == {'accuracy/top1': 42.5}
    card = installed[1].with_suffix('.md').read_text()
    assert all(part in card for part in ('A toy.', 'CC0', 'made images', '42.50', '1.25 M', NAME, entry.sha256))


def test_a_second_model_joins_the_first(installed, tmp_path):
    file = tmp_path / 'another.safetensors'
    two_bit.write(file, installed[0], installed[0].arch.to_json())
    publish(file, Entry('another', '', 0, 1.0, 32, 'data', 5, {}, 'none'), 'Another.', 'CC0')
    assert list_models() == ['another', 'toy']
    assert describe('toy').metrics and not describe('another').metrics


def test_backbone_head_and_architecture_by_name(installed):
    net = installed[0]
    pretrained = dict(type='Pretrained', checkpoint=NAME)
    model = MODELS.build(dict(
        type='nasbnn_det.BinaryClassifier',
        backbone=dict(type='nasbnn_det.NASBNN', arch=NAME, out_indices=(2, ), init_cfg=pretrained),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(type='nasbnn_det.SubnetClsHead', num_classes=5, init_cfg=pretrained,
                  loss=dict(type='mmpretrain.CrossEntropyLoss'))))
    model.init_weights()
    model.eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.head(model.extract_feat(x)), net(x))
    assert load_arch(NAME) == net.arch


def test_mmengine_finds_them(installed):
    given = CheckpointLoader.load_checkpoint(NAME, map_location='cpu')
    assert set(given['state_dict']) == set(installed[0].state_dict())


def test_a_changed_file_and_an_unknown_name(installed):
    with pytest.raises(ValueError, match="no model 'toi' in the package; allowed are toy"):
        locate('nasbnn_det://toi')
    file = installed[1]
    file.write_bytes(file.read_bytes()[:-1] + b'\x00\x01')
    with pytest.raises(ValueError, match='not the file that its catalog describes'):
        locate(NAME)
    file.unlink()
    with pytest.raises(FileNotFoundError, match='install the package again'):
        locate(NAME)


def test_the_catalog_is_plain_json(installed):
    rows = json.loads((installed[1].parent / 'catalog.json').read_text())
    assert [row['name'] for row in rows] == ['toy']
