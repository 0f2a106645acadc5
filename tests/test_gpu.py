"""What only a GPU can show. On a machine without one the same tests run on the CPU, which shows that they are right."""
import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')
pytest.importorskip('mmpretrain')

from detectors import batch, tiny_rtmdet  # noqa: E402
from mmengine.config import Config  # noqa: E402
from mmengine.dataset import pseudo_collate  # noqa: E402
from mmengine.evaluator import Evaluator  # noqa: E402
from mmengine.optim import AmpOptimWrapper, OptimWrapper  # noqa: E402
from mmpretrain.evaluation import Accuracy  # noqa: E402
from mmpretrain.structures import DataSample  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402
from nasbnn_det.binary import BinaryConv2d, BinaryConvModule  # noqa: E402
from nasbnn_det.engine.evaluation.from_runner import runner_subnet_evaluator  # noqa: E402
from nasbnn_det.engine.optim import CPUAmpOptimWrapper  # noqa: E402
from nasbnn_det.models.classifiers import SupernetClassifier  # noqa: E402
from nasbnn_det.supernet import InferenceSubnet, Subnet, extract_subnet  # noqa: E402

HERE = 'cuda' if torch.cuda.is_available() else 'cpu'
needs_gpu = pytest.mark.skipif(HERE == 'cpu', reason='needs a GPU')


@pytest.fixture
def tensor_cores():
    """TF32 wherever PyTorch allows it: products of numbers with ten bits after the point."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def classifier():
    """A supernet with data preprocessing."""
    torch.manual_seed(0)
    return SupernetClassifier(
        'tiny', 3, data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3))


class Images(torch.utils.data.Dataset):
    """Labelled noise."""

    def __len__(self):
        return 12

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        image = torch.from_numpy(rng.integers(0, 256, (3, 48, 48), dtype=np.uint8))
        return dict(inputs=image, data_samples=DataSample().set_gt_label(index % 3))


@pytest.mark.parametrize('kernel, groups', [(3, 1), (5, 2), (1, 1)])
def test_a_binary_convolution_is_exact_on_tensor_cores(tensor_cores, kernel, groups):
    torch.manual_seed(0)
    conv = BinaryConv2d(64, 96, kernel, padding=kernel // 2, groups=groups)
    x = torch.randn(2, 64, 20, 20)
    expected = copy.deepcopy(conv).double()(x.double())
    found = conv.to(HERE)(x.to(HERE)).cpu()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-5)


def test_recalibration_gives_the_statistics_of_a_cpu():
    torch.manual_seed(0)
    images = [torch.randn(8, 3, 48, 48) for _ in range(2)]
    subnet = Subnet(Arch.smallest(SPACES['tiny']), 3)
    own = copy.deepcopy(subnet)
    InferenceSubnet(subnet).recalibrate(images)
    InferenceSubnet(own.to(HERE)).recalibrate([image.to(HERE) for image in images])
    # The first layers alone: a sign that rounding turns changes what comes after.
    for name in ('stem.bn.running_mean', 'stem.bn.running_var'):
        torch.testing.assert_close(own.state_dict()[name].cpu(), subnet.state_dict()[name], rtol=1e-2, atol=1e-3)
    assert all(torch.isfinite(value).all() for value in own.state_dict().values())


@pytest.mark.parametrize('packed', [False, True])
def test_a_search_scores_on_the_device_and_its_packed_networks_on_the_cpu(packed, tmp_path):
    loader = DataLoader(Images(), 4, collate_fn=pseudo_collate)
    seen = {}
    for device in ('cpu', HERE):
        model = classifier().to(device)
        runner = SimpleNamespace(model=model, work_dir=str(tmp_path), cfg=Config(dict()))
        evaluate = runner_subnet_evaluator(runner, loader, 2, loader, Evaluator(Accuracy(topk=(1, ))), packed=packed)
        images, _ = next(evaluate.validation_batches())
        assert images.device.type == ('cpu' if packed else device)
        assert model.data_preprocessor.device.type == device
        seen[device] = evaluate(extract_subnet(model.supernet, model.smallest))['accuracy/top1']
    # Without packing, rounding may turn a sign and a close decision.
    assert seen['cpu'] == pytest.approx(seen[HERE], abs=0.01 if packed else 17)


def amp_wrapper(model):
    """Mixed precision of this machine; a scaler on a GPU."""
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    return CPUAmpOptimWrapper(optimizer) if HERE == 'cpu' else AmpOptimWrapper('dynamic', optimizer=optimizer)


@pytest.mark.parametrize('make, data', [
    (classifier, lambda: pseudo_collate([Images()[i] for i in range(4)])), (tiny_rtmdet, batch)])
def test_mixed_precision_trains(make, data):
    model = make().to(HERE).train()
    wrapper = amp_wrapper(model)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    for _ in range(3):  # a scaler may leave out its first steps
        logs = model.train_step(data(), wrapper)
        assert torch.isfinite(torch.as_tensor(logs['loss']))
    moved = sum(not torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert moved > len(before) / 4
    assert all(value.dtype == torch.float32 and torch.isfinite(value).all() for value in model.parameters())


@needs_gpu
def test_a_forward_does_not_wait_for_the_device():
    torch.manual_seed(0)
    net = torch.nn.Sequential(BinaryConvModule(16, 16, 3), BinaryConvModule(16, 32, 3, stride=2)).cuda().train()
    x = torch.randn(2, 16, 16, 16, device='cuda')
    net(x).sum().backward()  # steps and shifts are set in the first
    torch.cuda.set_sync_debug_mode('error')
    try:
        net(x).sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode('default')


@needs_gpu
def test_a_supernet_knows_its_step_without_waiting_for_the_device():
    model = classifier().cuda().train()
    model.train_step(pseudo_collate([Images()[i] for i in range(4)]),
                     OptimWrapper(torch.optim.SGD(model.parameters(), 0.01)))
    torch.cuda.set_sync_debug_mode('error')
    try:
        assert len(model.draw_students()) == 3
    finally:
        torch.cuda.set_sync_debug_mode('default')
