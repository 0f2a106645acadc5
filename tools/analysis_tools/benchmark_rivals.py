"""Times the packed detector against what others would deploy: small float detectors in OpenVINO, onnxruntime and ncnn.

One image, equal threads, all in turn in one run, medians of the rounds; prints one JSON line. Weights and images are random:
times do not depend on them. The others are networks without decoding; ours is the whole detector, a prepared image to
boxes, with the number of candidates set by --candidates. 8-bit networks are quantised from random images, for their times
alone. A runtime that can't take a network says why in place of its time; one that is not installed is left out.

    pip install openvino nncf onnxruntime ncnn pnnx
"""
import argparse
import json
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple, Union

import numpy as np
import torch
from benchmark_packed import PAUSE, lone_layer
from torch import nn

from nasbnn_det.cli import run_tool
from nasbnn_det.cli.machine import cpu_name
from nasbnn_det.costs.module_ops import count_model_ops, total
from nasbnn_det.deploy.onnx_export import export_onnx
from nasbnn_det.deploy.other_runtimes import binary_convolution_run, ncnn_run, onnxruntime_run, openvino_runs
from nasbnn_det.deploy.packing import describe_network
from nasbnn_det.native import peak_rate
from nasbnn_det.runtime import PackedChain, PackedDetector, PackedFile, current_isa, pack
from nasbnn_det.runtime.file import packed_bytes, split_packed
from nasbnn_det.runtime.timing import in_turn
from nasbnn_det.supernet import recalibrate_bn

OURS = 'configs/detection/rtmdet/rtmdet_nasbnn-57m_8xb16-100e_coco-320.py'
TWIN = 'configs/detection/rtmdet/rtmdet_nasbnn-57m-fp_8xb16-100e_coco-416.py'
#: Stock detectors of MMDetection.
RIVALS = {
    'ssdlite_mobilenetv2': 'ssd/ssdlite_mobilenetv2-scratch_8xb24-600e_coco.py',
    'yolox_nano': 'yolox/yolox_nano_8xb8-300e_coco.py',
    'yolox_tiny': 'yolox/yolox_tiny_8xb8-300e_coco.py',
    'rtmdet_tiny': 'rtmdet/rtmdet_tiny_8xb32-300e_coco.py',
}
#: Channels and sizes of 3 x 3 layers that binary engines are compared on.
LAYERS = ((64, 80), (128, 40), (256, 20), (512, 10))
Run = Callable[[], object]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=int, default=320, help='height and width of the image in pixels')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--candidates', type=int, default=300, help='boxes of ours that reach non-maximum suppression')
    parser.add_argument('--rivals', nargs='*', choices=[*RIVALS, 'twin'], default=[*RIVALS, 'twin'], help='which networks')
    return parser.parse_args()


def build(config: Union[str, Path]) -> nn.Module:
    """The detector of a config with random weights and the batch norms of random images, in evaluation mode."""
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope
    cfg = Config.fromfile(str(config))
    init_default_scope('mmdet')
    if 'backbone' in cfg.model:
        cfg.model.backbone.pop('init_cfg', None)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    recalibrate_bn(model, [torch.randn(2, 3, 128, 128)])
    return model.eval()


def stock_config(path: str) -> Path:
    import mmdet
    return Path(mmdet.__file__).parent / '.mim' / 'configs' / path


def our_detector(args: argparse.Namespace) -> Tuple[PackedDetector, int]:
    """The packed detector, so many of whose scores are above its threshold, and its binary multiply-accumulates."""
    model = build(OURS)
    binary = total(count_model_ops(model, (args.size, args.size))).bops
    packed = pack(model)
    network = describe_network(packed)
    image = torch.randn(3, args.size, args.size, generator=torch.Generator().manual_seed(0)).numpy()
    chains, _ = split_packed(packed)
    classes = [str(i) for i in range(network['num_classes'])]

    def with_threshold(threshold: float) -> PackedDetector:
        info = dict(network=dict(network, score_thr=threshold), classes=classes, preprocessing={})
        return PackedDetector(packed_bytes(PackedFile(chains, {}, info)), threads=args.threads)

    logits, _ = with_threshold(0.0).maps(image)
    scores = 1 / (1 + np.exp(-np.concatenate([level.ravel() for level in logits])))
    return with_threshold(float(np.sort(scores)[-args.candidates - 1])), binary


def other_runs(name: str, args: argparse.Namespace, folder: Path,
               image: np.ndarray) -> Tuple[Dict[str, Run], Dict[str, str]]:
    """Functions by 'network/runtime', and why those that lack do."""
    model = build(TWIN if name == 'twin' else stock_config(RIVALS[name]))
    file = folder / f'{name}.onnx'
    export_onnx(model, file, [image.shape], check=False)
    runs: Dict[str, Run] = {}
    failed: Dict[str, str] = {}
    for package, label, make in (
            ('openvino', 'openvino', lambda: openvino_runs(file, image, args.threads, precisions())),
            ('onnxruntime', 'onnxruntime', lambda: {'f32': onnxruntime_run(file, image, args.threads)}),
            ('ncnn', 'ncnn', lambda: {'f32': ncnn_run(file, image, args.threads)})):
        if find_spec(package) is None:
            continue
        try:
            runs.update({f'{name}/{label}_{precision}': run for precision, run in make().items()})
        except (ValueError, RuntimeError) as error:
            failed[f'{name}/{label}'] = str(error).splitlines()[0]
    return runs, failed


def precisions() -> List[str]:
    return ['f32', 'own', *(['int8'] if find_spec('nncf') else [])]


def milliseconds(runs: Dict[str, Run], rounds: int, calls: int = 1) -> Dict[str, float]:
    """Medians, in turn; each runtime begins when the threads of the one before it sleep."""
    return {name: 1e3 * seconds for name, seconds in in_turn(runs, rounds, calls=calls, pause=PAUSE).items()}


def layer_runs(threads: int) -> Dict[str, Run]:
    """A 3 x 3 layer from float map to float map, ours and OpenVINO's BinaryConvolution."""
    runs: Dict[str, Run] = {}
    if find_spec('openvino') is None:
        return runs
    for channels, size in LAYERS:
        layer, x = lone_layer(channels, size)
        chain = PackedChain([layer])
        runs[f'{channels}/ours'] = lambda chain=chain, x=x: chain(x)
        runs[f'{channels}/openvino'] = binary_convolution_run(channels, size, threads)[0]
    return runs


def peak(threads: int, rounds: int) -> float:
    """Binary multiply-accumulates a second on the registers of so many threads."""
    best = 0.0
    for _ in range(rounds):
        start = time.perf_counter()
        done, _ = peak_rate(15_000, 144)
        best = max(best, done / (time.perf_counter() - start))
    return best * threads


@torch.inference_mode()
def main() -> None:
    args = parse_args()
    torch.set_num_threads(args.threads)
    image = np.random.default_rng(0).standard_normal((1, 3, args.size, args.size), dtype=np.float32)
    size = (args.size, args.size)
    failed: Dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        detector, binary = our_detector(args)
        runs: Dict[str, Run] = dict(ours=lambda: detector.detect_prepared(image[0], size))
        for name in args.rivals:
            more, lacking = other_runs(name, args, Path(folder), image)
            runs.update(more)
            failed.update(lacking)
        times = milliseconds(runs, args.rounds)
    layers = milliseconds(layer_runs(args.threads), args.rounds, calls=20)
    limit = 1e3 * binary / peak(args.threads, 5)
    print(json.dumps(dict(
        limit_ratio=times['ours'] / limit,
        vs_rtmdet_tiny_f32=ratio(times, 'ours', 'rtmdet_tiny/openvino_f32'),
        vs_rtmdet_tiny_int8=ratio(times, 'ours', 'rtmdet_tiny/openvino_int8'),
        vs_openvino_binary={str(c): ratio(layers, f'{c}/ours', f'{c}/openvino') for c, _ in LAYERS},
        milliseconds=times, limit_milliseconds=limit, layer_milliseconds=layers, failed=failed, binary_macs=binary,
        **facts(args))))


def ratio(times: Dict[str, float], ours: str, theirs: str) -> Any:
    return times[ours] / times[theirs] if theirs in times else None


def facts(args: argparse.Namespace) -> Dict[str, Any]:
    """Under what all this was measured."""
    from importlib.metadata import version
    packages = ('openvino', 'nncf', 'onnxruntime', 'ncnn', 'torch')
    return dict(size=args.size, threads=args.threads, rounds=args.rounds, candidates=args.candidates, cpu=cpu_name(),
                isa=current_isa(), versions={name: version(name) for name in packages if find_spec(name)})


if __name__ == '__main__':
    run_tool(main)
