"""NAS-BNN's public release: its files become ours, whole or not at all."""
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from nasbnn_det.apis import import_release
from nasbnn_det.arch import Arch, get_space, load_arch
from nasbnn_det.costs import count_ops
from nasbnn_det.models.backbones import NASBNN
from nasbnn_det.official_release import load_released_front, load_released_supernet
from nasbnn_det.supernet import load_supernet


@pytest.fixture(scope='module')
def meta(reference):
    """Space, classes and image size of the recorded files."""
    return json.loads(reference('narrow_records.json').read_text())['meta']


@pytest.fixture(scope='module')
def table(tmp_path_factory, meta):
    """The recorded space as a JSON file."""
    path = tmp_path_factory.mktemp('space') / 'narrow.json'
    path.write_text(json.dumps(dict(name='narrow', table=meta['search_space'])))
    return path


@pytest.fixture
def changed(tmp_path, reference):
    """Writes the recorded checkpoint with a change; gives its path."""

    def write(change, name='narrow_checkpoint.pth.tar'):
        data = torch.load(reference(name), weights_only=True)
        change(data)
        torch.save(data, tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def convert(run_tool):
    """Runs the converter; gives its exit status and what it printed."""

    def run(*args):
        done = run_tool('tools/model_converters/import_release.py', *args)
        return done.returncode, done.stdout + done.stderr

    return run


def test_every_key_is_accounted_for(reference, meta):
    path = reference('narrow_checkpoint.pth.tar')
    released = load_released_supernet(path, meta['search_space'])
    keys = torch.load(path, weights_only=True)['state_dict']
    assert {*released.used, *released.recomputed} == set(keys)
    assert set(released.used.values()) == set(released.supernet.state_dict()) - {'space_json'}
    assert len(released.used) == len(set(released.used.values()))
    assert all(k.endswith(('scaling_factor', '_cand')) for k in released.recomputed)


def test_the_tool_writes_files_later_stages_read(reference, meta, table, tmp_path, convert):
    code, said = convert(reference('narrow_checkpoint.pth.tar'), '--info', reference('narrow_info.pth.tar'),
                         '--space', table, '--shape', meta['img_size'], meta['img_size'], '--out', tmp_path / 'out')
    assert code == 0, said
    supernet = load_supernet(tmp_path / 'out' / 'supernet.pth')
    direct = import_release(reference('narrow_checkpoint.pth.tar'), meta['search_space'], meta['num_classes'])
    for (name, ours), value in zip(supernet.named_parameters(), direct.parameters()):
        assert torch.equal(ours, value), name
    arch = load_arch(f"{tmp_path / 'out' / 'front.json'}#1")
    assert count_ops(arch, (64, 64), 10).ops <= 1e6
    NASBNN(arch, (1, ), init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'out' / 'supernet.pth'))).init_weights()
    assert len(json.loads((tmp_path / 'out' / 'keys.json').read_text())['used']) > 200
    assert (tmp_path / 'out' / 'front.png').stat().st_size > 10_000


def test_the_front_is_the_releases(reference, meta):
    path = reference('narrow_info.pth.tar')
    info = torch.load(path, weights_only=True)
    front, visited = load_released_front(path, meta['search_space'], (64, 64), meta['num_classes'])
    space = get_space(meta['search_space'])
    expected = {Arch.from_release(c, space): info['vis_dict'][c] for c in info['pareto_global'].values()}
    assert {e.arch for e in front.entries} == set(expected)
    for entry in front.entries:
        assert entry.score == expected[entry.arch]['acc']
        assert entry.ops == pytest.approx(expected[entry.arch]['ops'] * 1e6, rel=1e-5)
    assert len(visited) == len(info['vis_dict'])


@pytest.mark.parametrize('change, words', [
    (lambda d: d['state_dict'].pop('module.fc.weight'), ('1 missing (first: fc.weight)', 'public release')),
    (lambda d: d['state_dict'].update({'module.extra': torch.ones(2)}), ('1 left over (first: extra)', )),
    (lambda d: d['state_dict'].update({'module.features.1.0.move11.bias': torch.ones(7)}),
     ('1 of another shape (first: stages.0.0.conv1.conv.sign.bias)', )),
    (lambda d: d['state_dict'].update({'features.1.0.move11.bias': torch.ones(1, 16, 1, 1)}), ('two keys for', )),
    (lambda d: d['state_dict'].pop('module.fc.bias'), ("no classifier 'module.fc.bias'", )),
])
def test_wrong_keys_are_named(changed, table, tmp_path, change, words, convert):
    path = changed(change)
    code, said = convert(path, '--space', table, '--out', tmp_path / 'out')
    assert code == 1 and said.startswith('error: ') and said.count('\n') == 1, said
    assert all(word in said for word in words), said
    assert not (tmp_path / 'out').exists()


def test_a_folder_with_files_of_others_is_left(reference, table, tmp_path, convert):
    command = (reference('narrow_checkpoint.pth.tar'), '--space', table, '--out', tmp_path)
    (tmp_path / 'front.json').write_text('of a search')
    code, said = convert(*command)
    assert code == 1 and f"'{tmp_path}' has a front.json already" in said
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [('front.json', 'of a search')]
    (tmp_path / 'front.json').unlink()
    # What it wrote itself it may write again.
    assert [convert(*command)[0] for _ in range(2)] == [0, 0]


def test_another_space_or_number_of_classes_is_refused(reference, meta):
    path = reference('narrow_checkpoint.pth.tar')
    with pytest.raises(ValueError, match="for the space 'imagenet'"):
        import_release(path)
    with pytest.raises(ValueError, match='has 10 classes, not 1000'):
        import_release(path, meta['search_space'], num_classes=1000)


def test_a_file_that_would_run_code_is_refused(tmp_path):

    class Evil:

        def __reduce__(self):
            return (Path(tmp_path / 'ran').touch, ())

    torch.save(dict(state_dict=Evil()), tmp_path / 'evil.pth.tar')
    torch.save(dict(vis_dict=Evil(), pareto_global={}), tmp_path / 'evil_info.pth.tar')
    with pytest.raises(ValueError, match='no readable checkpoint'):
        import_release(tmp_path / 'evil.pth.tar')
    with pytest.raises(ValueError, match="no readable search result"):
        load_released_front(tmp_path / 'evil_info.pth.tar', 'imagenet', (224, 224), 1000)
    assert not (tmp_path / 'ran').exists()


@pytest.mark.parametrize('change, words', [
    (lambda d: d.pop('vis_dict'), 'no vis_dict'),
    (lambda d: d['pareto_global'].update({9: (0, ) * 6}), 'bucket 9 has no score'),
    (lambda d: d['vis_dict'].update({(0, 0, 7, 3, 1, 1): dict(ops=1.0, acc=2.0)}), 'illegal architecture'),
])
def test_a_wrong_search_result_is_named(changed, meta, change, words):
    path = changed(change, 'narrow_info.pth.tar')
    with pytest.raises(ValueError, match=words):
        load_released_front(path, meta['search_space'], (64, 64), meta['num_classes'])


def test_ops_of_another_input_size_are_noticed(reference, meta):
    with pytest.raises(ValueError, match='give the input size and the space of that search'):
        load_released_front(reference('narrow_info.pth.tar'), meta['search_space'], (224, 224), meta['num_classes'])


def test_a_candidate_may_be_rows_flat_or_an_array(meta):
    space = get_space(meta['search_space'])
    flat = [n for i, spec in enumerate(space.stages) for j in range(spec.depths[0])
            for n in (i, j, spec.channels[0], spec.kernels[0], spec.groups1[-1], spec.groups2[-1])]
    forms = [flat, tuple(flat), np.array(flat).reshape(-1, 6), torch.tensor(flat)]
    assert {Arch.from_release(form, meta['search_space']) for form in forms} == {Arch.smallest(space)}
