"""A detector trains in two gloo processes as MMDetection's distributed training means it."""
import copy
import sys
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper

pytest.importorskip('mmdet')

from detectors import batch, tiny_rtmdet  # noqa: E402
from mmdet.models.dense_heads import rtmdet_head  # noqa: E402
from mmengine.structures import InstanceData  # noqa: E402
from two_processes import KeepsGradients, in_two_processes, one_thread  # noqa: E402, F401

from nasbnn_det.models.distributed import DistributedDataParallel  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
#: What the processes build: the flagship's parts, on the last stages and on early ones alone.
STAGES = ((2, 3, 4), (1, 2))


def half(rank):
    """Two images for each process: three objects in the first's, one in the second's."""
    data = batch()
    if rank == 0:
        data['data_samples'][1].gt_instances = InstanceData(
            bboxes=torch.tensor([[10., 20, 50, 60]]), labels=torch.tensor([1]))
    else:
        data['inputs'] = [image.flip(1) for image in data['inputs']]
        data['data_samples'][0].gt_instances = InstanceData(
            bboxes=torch.tensor([[20., 4, 60, 44]]), labels=torch.tensor([2]))
    return data


def gradients(model, data):
    """Of one step, by parameter."""
    inner = getattr(model, 'module', model)
    optimizer = KeepsGradients(inner.parameters(), 0.01)
    model.train_step(copy.deepcopy(data), OptimWrapper(optimizer))
    return {name: grad for (name, _), grad in zip(inner.named_parameters(), optimizer.seen)}


def train(rank):
    """Two steps of each detector in one of the processes: gradients of the first, weights after the second."""
    found = []
    for out_indices in STAGES:
        net = tiny_rtmdet(out_indices).train()
        with torch.no_grad():  # the wrapper has to make the processes equal
            next(net.parameters()).add_(rank)
        model = DistributedDataParallel(net, device_ids=[rank], broadcast_buffers=False)
        # A parameter without a gradient would end the second step.
        found.append([gradients(model, half(rank)), gradients(model, half(rank)), dict(net.named_parameters())])
    return found


def test_a_step_averages_the_gradients_of_the_halves(tmp_path, one_thread, monkeypatch):  # noqa: F811
    """What is averaged are the gradients of each half's loss, divided by the normalisers of MMDetection's losses.

    These are themselves averaged over the processes (``reduce_mean``), and differ between the halves, whose objects
    do. So each half is run twice alone: once to see its own normalisers, once with the mean of both.
    """
    first, second = in_two_processes(train, tmp_path)
    for i, out_indices in enumerate(STAGES):
        own = {}

        def alone(rank, given=None):
            seen = own[rank] = []

            def reduce_mean(value):
                seen.append(value.detach().clone())
                return value if given is None else given[len(seen) - 1]

            monkeypatch.setattr(rtmdet_head, 'reduce_mean', reduce_mean)
            return gradients(tiny_rtmdet(out_indices).train(), half(rank))

        for rank in range(2):
            alone(rank)
        assert own[0] and all(a != b for a, b in zip(own[0], own[1])), 'the halves have the same normalisers'
        means = [(a + b) / 2 for a, b in zip(own[0], own[1])]
        halves = [alone(rank, means) for rank in range(2)]
        compared = 0
        for name, gradient in first[i][0].items():
            expected = (halves[0][name] + halves[1][name]) / 2
            scale = expected.abs().max().clamp(min=1e-12)
            assert (gradient - expected).abs().max() <= 1e-5 * scale, name
            assert torch.equal(gradient, second[i][0][name]), name
            compared += bool(expected.any())
        assert compared > 50
        assert all(torch.equal(value, second[i][2][name]) for name, value in first[i][2].items())


def run_tool(rank, config, data, work_dir):
    """The command that users type, in one of the processes that torchrun started."""
    sys.argv = ['train.py', config, '--work-dir', work_dir, '--launcher', 'pytorch', '--cfg-options',
                'train_cfg.max_epochs=1', 'train_dataloader.batch_size=2', 'train_dataloader.num_workers=0',
                'train_dataloader.persistent_workers=False', 'val_dataloader.num_workers=0',
                'val_dataloader.persistent_workers=False', 'model.backbone.init_cfg=None',
                *(f'{part}={data}/' for part in ('train_dataloader.dataset.data_root', 'val_dataloader.dataset.data_root')),
                f'val_evaluator.ann_file={data}/annotations/instances_val.json']
    import runpy
    runpy.run_path(str(ROOT / 'tools' / 'train.py'), run_name='__main__')
    state = torch.load(Path(work_dir) / 'epoch_1.pth', weights_only=False)['state_dict']
    return {name: value for name, value in state.items() if name.endswith('conv.weight')}


@pytest.mark.slow
def test_the_tool_trains_a_detector_in_two_processes(tmp_path, tiny_shapes):
    config = ROOT / 'configs' / 'detection' / 'rtmdet' / 'rtmdet_nasbnn-tiny_1xb16-24e_shapes-128.py'
    first, second = in_two_processes(run_tool, tmp_path, str(config), str(tiny_shapes), str(tmp_path / 'work'))
    assert first and all(torch.equal(value, second[name]) for name, value in first.items())
    assert 'coco/bbox_mAP' in next((tmp_path / 'work').glob('*/vis_data/scalars.json')).read_text()
