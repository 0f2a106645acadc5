"""The supernet as MMEngine's Runner trains it."""
import copy

import numpy as np
import pytest
import torch

pytest.importorskip('mmpretrain')

from mmengine.optim import OptimWrapper  # noqa: E402
from mmpretrain.structures import DataSample  # noqa: E402

from nasbnn_det.arch import get_space  # noqa: E402
from nasbnn_det.engine.optim import CPUAmpOptimWrapper  # noqa: E402
from nasbnn_det.registry import MODELS  # noqa: E402
from nasbnn_det.supernet import bi_teacher_passes  # noqa: E402

SPACE = [[[4, 8], [1], [3], [1], [1], 2], [[8, 12, 16], [1, 2], [3, 5], [1, 2], [1], 2],
         [[16, 24], [1, 2], [3], [2, 4], [1], 2]]


def build(**kwargs):
    """A small supernet classifier by its config."""
    torch.manual_seed(0)
    return MODELS.build(dict(dict(
        type='nasbnn_det.SupernetClassifier', space=SPACE, num_classes=3,
        data_preprocessor=dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3)), **kwargs))


@pytest.fixture
def data():
    """Four labelled images."""
    torch.manual_seed(1)
    images = [torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8) for _ in range(4)]
    return dict(inputs=images, data_samples=[DataSample().set_gt_label(i % 3) for i in range(4)])


def wrapper(model, lr=1.0):
    """Plain descent, so that a step shows the gradient."""
    return OptimWrapper(torch.optim.SGD(model.parameters(), lr))


def test_one_step_applies_the_sum_of_all_gradients(data):
    model = build(num_random=3).train()
    reference = copy.deepcopy(model)
    inputs = model.data_preprocessor(copy.deepcopy(data), training=True)['inputs']
    labels = torch.tensor([0, 1, 2, 0])
    expected = {}
    for name, loss in bi_teacher_passes(reference.supernet, inputs, labels, reference.biggest,
                                        reference.draw_students(), 0.1):
        expected[f'loss_{name}'] = loss.item()
        loss.backward()
    losses = model.train_step(data, wrapper(model))
    assert list(losses) == ['loss', 'loss_teacher', 'loss_smallest', 'loss_random0', 'loss_random1', 'loss_random2']
    assert losses['loss'].item() == pytest.approx(sum(expected.values()), rel=1e-5)
    for name, value in expected.items():
        assert losses[name].item() == pytest.approx(value, rel=1e-5)
    moved = 0
    for (name, after), before in zip(model.named_parameters(), reference.parameters()):
        grad = before.grad if before.grad is not None else torch.zeros_like(before)
        # An LSQ step is set from the weights during the first pass, in both.
        torch.testing.assert_close(after, before - grad, rtol=1e-4, atol=1e-6, msg=name)
        assert after.grad is None or not after.grad.any()
        moved += bool(grad.any())
    assert moved > 10 and model.step == 1


def test_students_come_from_seed_and_step_alone():
    model, other = build(seed=4), build(seed=4)
    torch.manual_seed(123)
    drawn = []
    for step in range(5):
        for net in (model, other):
            net.load_state_dict(dict(net.state_dict(), step=torch.tensor(step)))
        drawn.append(model.draw_students())
        assert model.draw_students() == drawn[-1] == other.draw_students()
    assert len({tuple(d) for d in drawn}) > 1
    assert build(seed=5).draw_students() != build(seed=4).draw_students()
    assert [name for name, _ in drawn[0]] == ['smallest', 'random0', 'random1']
    assert drawn[0][0][1] == model.smallest


def test_a_resumed_run_draws_the_same_students(data):
    model = build().train()
    for _ in range(3):
        model.train_step(copy.deepcopy(data), wrapper(model, 0.01))
    resumed = build()
    resumed.load_state_dict(model.state_dict())
    assert resumed.step == 3 and resumed.draw_students() == model.draw_students()
    model.train_step(copy.deepcopy(data), wrapper(model, 0.01))
    resumed.train().train_step(data, wrapper(resumed, 0.01))
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), resumed.state_dict().values()))


def test_teacher_loss_falls(data):
    model = build().train()
    optim = OptimWrapper(torch.optim.Adam(model.parameters(), 2.5e-3))
    values = [model.train_step(copy.deepcopy(data), optim)['loss_teacher'].item() for _ in range(15)]
    assert max(values[-3:]) < 0.6 * values[0]


def test_tensor_mode_gives_logits():
    model = build().eval()
    x = torch.randn(2, 3, 17, 15)
    assert torch.equal(model(x), model.supernet(x, model.biggest))
    assert torch.equal(model(x, arch=model.smallest), model.supernet(x, model.smallest))
    assert model.supernet.space == get_space(SPACE)


def test_other_modes_say_what_to_do():
    with pytest.raises(ValueError, match="no mode 'predict'.*SupernetValLoop"):
        build()(torch.randn(1, 3, 16, 16), mode='predict')


def test_the_stock_distributed_wrapper_is_refused_with_the_right_one(data, tmp_path):
    from mmengine.model import MMDistributedDataParallel
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    try:
        model = build().train()
        with pytest.raises(ValueError, match='nasbnn_det.SupernetDistributedDataParallel'):
            MMDistributedDataParallel(model).train_step(data, wrapper(model))
    finally:
        torch.distributed.destroy_process_group()


def test_without_bi_teacher_the_teacher_is_binary(data):
    losses = [build(bi_teacher=on).train().train_step(copy.deepcopy(data), wrapper(build()))['loss_teacher'].item()
              for on in (True, False)]
    model = build().train()
    inputs = model.data_preprocessor(copy.deepcopy(data), training=True)['inputs']
    expected = [torch.nn.functional.cross_entropy(copy.deepcopy(model).supernet(inputs, model.biggest, real),
                                                  torch.tensor([0, 1, 2, 0]), label_smoothing=0.1).item()
                for real in (True, False)]
    assert losses == pytest.approx(expected, rel=1e-5) and losses[0] != losses[1]


def test_each_strategy_is_a_switch():
    assert build(non_decreasing=False).supernet.space.non_decreasing is False
    plain = build(binarization='standardized').supernet
    assert not [name for name, _ in plain.named_parameters() if name.endswith('.transform')]
    assert [name for name, _ in build().supernet.named_parameters() if name.endswith('.transform')]
    x = torch.randn(2, 3, 16, 16)
    unstandardized = dict(weights=dict(type='nasbnn', bi_transform=True, standardize=False))
    with_norm, without = build().eval(), build(binarization=unstandardized).eval()
    assert not torch.equal(with_norm(x), without(x))


def test_in_half_precision_weights_and_their_gradients_stay_whole(data):
    model = build().train()
    optim = CPUAmpOptimWrapper(torch.optim.SGD(model.parameters(), 0.1))
    seen = set()
    model.supernet.register_forward_hook(lambda _, __, out: seen.add(out.dtype))
    before = copy.deepcopy(model.state_dict())
    losses = model.train_step(data, optim)
    assert seen == {torch.bfloat16} and all(torch.isfinite(loss) for loss in losses.values())
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    moved = sum(not torch.equal(value, before[name]) for name, value in model.named_parameters())
    assert moved > 10 and all(torch.isfinite(p).all() for p in model.parameters())


def test_batch_norms_that_the_runner_replaces_are_refused(tmp_path):
    from nasbnn_det.models.distributed import SupernetDistributedDataParallel
    torch.distributed.init_process_group('gloo', init_method=f'file://{tmp_path}/rendezvous', rank=0, world_size=1)
    try:
        replaced = torch.nn.SyncBatchNorm.convert_sync_batchnorm(build())
        with pytest.raises(ValueError, match='set model.sync_bn=True and leave sync_bn out'):
            SupernetDistributedDataParallel(replaced)
        SupernetDistributedDataParallel(build(sync_bn=True))
    finally:
        torch.distributed.destroy_process_group()


def test_gradient_accumulation_is_refused(data):
    model = build().train()
    optim = OptimWrapper(torch.optim.SGD(model.parameters(), 0.1), accumulative_counts=4)
    with pytest.raises(ValueError, match='accumulative_counts is 4; .* only 1 is allowed'):
        model.train_step(data, optim)


def test_the_teacher_may_begin_alone(data):
    model = build(teacher_steps=2).train()
    passes = [list(model.train_step(copy.deepcopy(data), wrapper(model, 0.01)))[1:] for _ in range(3)]
    assert passes == [['loss_teacher']] * 2 + [['loss_teacher', 'loss_smallest', 'loss_random0', 'loss_random1']]


def test_mixed_images_have_mixed_labels(data):
    mixup = dict(augments=dict(type='mmpretrain.Mixup', alpha=1.0))
    preprocessor = dict(type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, num_classes=3,
                        batch_augments=mixup)
    model = build(data_preprocessor=preprocessor).train()
    reference = copy.deepcopy(model)
    np.random.seed(3)
    mixed = model.data_preprocessor(copy.deepcopy(data), training=True)
    scores = torch.stack([sample.gt_score for sample in mixed['data_samples']])
    assert 0 < scores.max(1).values.min() < 1
    expected = torch.nn.functional.cross_entropy(
        reference.supernet(mixed['inputs'], reference.biggest, True), scores, label_smoothing=0.1)
    np.random.seed(3)
    loss = model.train_step(data, wrapper(model))['loss_teacher']
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
