"""Our supernet against the recorded numbers of an independent implementation.

Some recorded activations are 1e-7 from a sign's zero, where the rounding of single precision, another on every kind of
CPU, decides. So the agreement is tested in double precision, which leaves nothing to rounding.
"""
import copy
import json

import numpy as np
import pytest
import torch

from nasbnn_det.apis import import_release
from nasbnn_det.arch import Arch, get_space
from nasbnn_det.costs import count_ops
from nasbnn_det.official_release.keys import our_key
from nasbnn_det.supernet import bi_teacher_passes, extract_subnet, recalibrate_bn
from nasbnn_det.supernet.bi_teacher import decayed_parameters

_LOGITS, _GRADIENTS = 1e-5, 1e-4


@pytest.fixture(scope='module')
def records(reference):
    """The json's content."""
    return json.loads(reference('narrow_records.json').read_text())


@pytest.fixture(scope='module')
def arrays(reference):
    """The recorded arrays by name."""
    with np.load(reference('narrow_records.npz')) as file:
        arrays = {name: torch.from_numpy(file[name]) for name in file.files}
    return {name: array.double() if array.is_floating_point() else array for name, array in arrays.items()}


@pytest.fixture(scope='module')
def archs(records):
    """The eight architectures by name."""
    space = get_space(records['meta']['search_space'])
    return {name: Arch.from_release(a['rows'], space) for name, a in records['archs'].items()}


@pytest.fixture(scope='module')
def loaded(reference, records):
    """The recorded weights; copy before running."""
    meta = records['meta']
    return import_release(reference('narrow_checkpoint.pth.tar'), meta['search_space'], meta['num_classes']).double()


def distance(ours, recorded):
    """Largest difference, relative to the array's largest entry."""
    recorded = recorded.reshape(ours.shape)
    return ((ours.detach() - recorded).abs().max() / recorded.abs().max().clamp(min=1e-30)).item()


def test_ops(records, archs):
    meta = records['meta']
    assert len(archs) == 8
    for name, arch in archs.items():
        found = count_ops(arch, (meta['img_size'], ) * 2, meta['num_classes']).ops
        assert found == pytest.approx(records['archs'][name]['ops_m'] * 1e6, rel=1e-6)


@pytest.mark.parametrize('kind, real_weights', [('binary', False), ('fpweight', True)])
def test_training_logits(loaded, arrays, archs, kind, real_weights):
    for name, arch in archs.items():
        net = copy.deepcopy(loaded).train()
        logits = net(arrays['x'], arch, real_weights)
        assert distance(logits, arrays[f'train_logits_{kind}/{name}']) < _LOGITS, name


@pytest.mark.parametrize('kind, real_weights', [('binary', False), ('fpweight', True)])
def test_single_precision_differs_by_a_turned_sign_at_most(reference, records, arrays, archs, kind, real_weights):
    meta = records['meta']
    net = import_release(reference('narrow_checkpoint.pth.tar'), meta['search_space'], meta['num_classes']).train()
    agreeing = [distance(net(arrays['x'].float(), arch, real_weights), arrays[f'train_logits_{kind}/{name}']) < _LOGITS
                for name, arch in archs.items()]
    assert sum(agreeing) >= len(archs) - 1


def test_evaluation_logits(loaded, arrays, archs):
    for name, arch in archs.items():
        subnet = extract_subnet(loaded, arch).double()
        recalibrate_bn(subnet, [arrays['x']])
        assert distance(subnet(arrays['x']), arrays[f'eval_logits/{name}']) < _LOGITS, name


def test_every_logit_array_is_compared(arrays, archs):
    logits = {f'{kind}/{name}' for kind in ('train_logits_binary', 'train_logits_fpweight', 'eval_logits')
              for name in archs}
    rest = set(arrays) - logits
    assert {name for name in rest if not name.startswith('grad_step0')} == {'x', 'y'}


def optimizer(net, settings):
    """Adam as recorded, weight decay on the parameters that have it."""
    decayed = decayed_parameters(net)
    rest = [p for name, p in net.named_parameters() if name not in decayed]
    groups = [dict(params=list(decayed.values()), weight_decay=settings['weight_decay']),
              dict(params=rest, weight_decay=0.0)]
    return torch.optim.Adam(groups, lr=settings['lr'])


def test_two_optimisation_steps(loaded, arrays, archs, records):
    net = copy.deepcopy(loaded).train()
    adam = optimizer(net, records['optimizer'])
    for number, step in enumerate(records['steps']):
        adam.zero_grad()
        students = [(name, archs[name]) for name in ('smallest', *step['random_names'])]
        losses = {}
        for name, loss in bi_teacher_passes(net, arrays['x'], arrays['y'].long(), archs['biggest'], students):
            loss.backward()
            losses[name] = loss.item()
        expected = [step['teacher'], step['smallest'], *step['random']]
        assert list(losses.values()) == pytest.approx(expected, rel=_LOGITS), f'step {number}'
        if number == 0:
            _compare_gradients(net, arrays)
        adam.step()


def _compare_gradients(net, arrays):
    """Small gradients whole, big ones by a third of their entries and the sum of magnitudes of each output channel."""
    parameters = dict(net.named_parameters())
    compared = set()
    for key, recorded in arrays.items():
        kind, _, released = key.partition('/')
        if not kind.startswith('grad_step0'):
            continue
        name = our_key(released)
        grad = parameters[name].grad
        grad = torch.zeros_like(parameters[name]) if grad is None else grad
        if kind == 'grad_step0_part':
            grad = grad.flatten()[torch.from_numpy(np.random.RandomState(0).random_sample(grad.numel()) < 1 / 3)]
        elif kind == 'grad_step0_sums':
            grad = grad.abs().flatten(1).sum(1)
        assert distance(grad, recorded) < _GRADIENTS, key
        compared.add(name)
    without = {name for name, p in parameters.items() if name not in compared and p.grad is not None}
    assert compared and not without, f'no recorded gradient for {sorted(without)}'
