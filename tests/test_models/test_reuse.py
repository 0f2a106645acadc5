"""The found backbones inside MMPretrain and MMSegmentation: built by name, one training step, one prediction."""
import pytest
import torch
from mmengine.optim import OptimWrapper

pytest.importorskip('mmengine')

from mmengine.config import ConfigDict  # noqa: E402
from mmengine.registry import MODELS, init_default_scope  # noqa: E402
from mmengine.structures import PixelData  # noqa: E402

from nasbnn_det.arch import SPACES, Arch  # noqa: E402

ARCH = Arch.smallest(SPACES['tiny'])
# Config, and the channels of its last four stages.
BACKBONES = {
    'NASBNN': (dict(type='nasbnn_det.NASBNN', arch=ARCH.to_dict(), out_indices=(1, 2, 3, 4)),
               list(ARCH.stage_channels[1:])),
    'NASBResNet': (dict(type='nasbnn_det.NASBResNet', depth=18, base_channels=8, out_indices=(0, 1, 2, 3)),
                   [8, 16, 32, 64]),
}


@pytest.fixture(params=BACKBONES)
def backbone(request):
    return BACKBONES[request.param]


def step(net, data):
    """One training step that changes every parameter of the backbone."""
    before = {k: v.clone() for k, v in net.backbone.named_parameters()}
    logs = net.train().train_step(data, OptimWrapper(torch.optim.AdamW(net.parameters(), 1e-3)))
    assert torch.isfinite(torch.as_tensor(logs['loss']))
    assert not [k for k, v in net.backbone.named_parameters() if torch.equal(v, before[k])]


def test_mmpretrain(backbone):
    config, channels = backbone
    pytest.importorskip('mmpretrain')
    from mmpretrain.structures import DataSample
    from mmpretrain.utils import register_all_modules
    register_all_modules(init_default_scope=False)
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    net = MODELS.build(dict(
        type='ImageClassifier', backbone=config, neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=channels[-1])))
    images = [torch.randint(0, 256, (3, 48, 48), dtype=torch.uint8) for _ in range(2)]
    data = dict(inputs=images, data_samples=[DataSample().set_gt_label(i) for i in range(2)])
    step(net, data)
    with torch.no_grad():
        assert net.eval().test_step(data)[0].pred_score.shape == (3, )


def test_mmsegmentation(backbone):
    config, channels = backbone
    pytest.importorskip('mmseg', reason='onedl-mmsegmentation is not installed')
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules
    register_all_modules(init_default_scope=False)
    init_default_scope('mmseg')
    torch.manual_seed(0)
    net = MODELS.build(dict(
        type='EncoderDecoder', backbone=config,
        data_preprocessor=dict(type='SegDataPreProcessor', mean=[127.5] * 3, std=[127.5] * 3, size=(64, 64)),
        decode_head=dict(type='UPerHead', in_channels=channels, in_index=[0, 1, 2, 3], channels=16, num_classes=3,
                         pool_scales=(1, 2), norm_cfg=dict(type='BN')),
        test_cfg=ConfigDict(mode='whole')))
    samples = []
    for _ in range(2):
        sample = SegDataSample(metainfo=dict(img_shape=(64, 64), ori_shape=(64, 64), pad_shape=(64, 64)))
        sample.gt_sem_seg = PixelData(data=torch.randint(0, 3, (1, 64, 64)))
        samples.append(sample)
    data = dict(inputs=[torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8) for _ in range(2)], data_samples=samples)
    step(net, data)
    with torch.no_grad():
        assert net.eval().test_step(data)[0].pred_sem_seg.data.shape == (1, 64, 64)
