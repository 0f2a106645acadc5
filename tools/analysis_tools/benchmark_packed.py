"""Times the packed runtime against the same network as float modules, and against float networks for small machines.

Everything is measured in one run: pairs in turn, medians of the rounds; prints one JSON line. Weights are random: times do
not depend on them. Where the number of boxes counts, both detectors' thresholds are set so that equally many candidates
reach non-maximum suppression. Given a packed file and an image, it times that file on that image instead.
"""
import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import torch
from torch import Tensor, nn

from nasbnn_det.cli import run_tool
from nasbnn_det.cli.machine import cpu_name
from nasbnn_det.native import peak_rate, using_isa
from nasbnn_det.runtime import (
    LayerSpec,
    PackedChain,
    PackedDetector,
    PackedFile,
    PackedLayer,
    available_isas,
    current_isa,
    load_packed,
    pack,
    save_packed,
)
from nasbnn_det.runtime.file import packed_bytes, split_packed
from nasbnn_det.runtime.native_detector import decode
from nasbnn_det.runtime.ops import run_dots
from nasbnn_det.runtime.timing import in_turn, time_detector
from nasbnn_det.supernet import recalibrate_bn

CONFIG = 'configs/detection/rtmdet/rtmdet_nasbnn-57m_8xb16-100e_coco-320.py'
CANDIDATES = 300
#: Seconds until all threads of another runtime sleep.
PAUSE = 0.1


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', default=CONFIG, metavar='CONFIG_OR_FILE',
                        help='config of a detector with a found backbone, or a packed file (*.safetensors)')
    parser.add_argument('image', nargs='?', help='image to time the packed file on')
    parser.add_argument('--size', type=int, default=320, help='height and width of the image in pixels, a multiple of 32')
    parser.add_argument('--memory-size', type=int, default=640, help='likewise for the measurement of memory')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--larq', help='a Python with larq-compute-engine, see benchmark_larq.py; compared on one layer')
    # How this program calls itself, for a process of its own to measure.
    parser.add_argument('--memory-of', choices=['float', 'packed'], help=argparse.SUPPRESS)
    parser.add_argument('--memory-file', help=argparse.SUPPRESS)
    return parser.parse_args()


def build_detector(config: str) -> nn.Module:
    """The detector of a config with random weights, in evaluation mode."""
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope
    cfg = Config.fromfile(config)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(cfg.model).eval()


def packed_file(model: nn.Module, **changes: object) -> PackedFile:
    """The model's packed file, with other settings of its head; images are prepared as they are."""
    from nasbnn_det.deploy.packing import describe_network
    packed = pack(model)
    network = {**describe_network(packed), **changes}
    classes = [str(i) for i in range(network['num_classes'])]
    return PackedFile(*split_packed(packed), info=dict(network=network, classes=classes, preprocessing={}))


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def on_threads(count: int, run: Callable[[], object]) -> Callable[[], object]:
    """The function, on so many threads."""

    def wrapped() -> object:
        with threads(count):
            return run()

    return wrapped


def threshold(logits: Sequence[np.ndarray], count: int) -> float:
    """The score that so many candidates reach, or a few more where scores are equal."""
    scores = 1 / (1 + np.exp(-np.concatenate([level.ravel() for level in logits]).astype(np.float64)))
    if len(scores) <= count:
        raise ValueError(f'the detector has {len(scores)} candidates at this size, {count} are wanted: give a larger --size')
    return float(np.sort(scores)[-count - 1])


def detector_pair(model: nn.Module, image: Tensor, count: int) -> Tuple[Callable[[], object], Callable[[], object]]:
    """Our packed detector and torchvision's SSDLite, image tensor to final boxes, with equally many candidates."""
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large
    planes = image[0].numpy()
    logits, _ = PackedDetector(packed_bytes(packed_file(model)), count).maps(planes)
    ours = PackedDetector(packed_bytes(packed_file(model, score_thr=threshold(logits, CANDIDATES))), count)
    size = tuple(image.shape[2:])
    torch.manual_seed(0)
    ssd = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).eval().to(memory_format=torch.channels_last)
    kept: List[Tensor] = []
    handle = ssd.head.register_forward_hook(lambda _, __, output: kept.append(output['cls_logits']))
    ssd([image[0]])
    handle.remove()
    ssd.score_thresh = kept[0].softmax(-1)[..., 1:].flatten().topk(CANDIDATES + 1).values[-1].item()
    return lambda: ours.detect_prepared(planes, size), lambda: ssd([image[0]])


def decoding(model: nn.Module, image: Tensor, rounds: int) -> Dict[str, float]:
    """Seconds of decoding and suppression of the detector's maps, by the number of candidates."""
    file = packed_file(model)
    maps = PackedDetector(packed_bytes(file)).maps(image[0].numpy())
    runs: Dict[str, Callable[[], object]] = {}
    for count in (CANDIDATES, 3000):
        network = {**file.info['network'], 'score_thr': threshold(maps[0], count)}
        runs[f'decoding_{count}'] = partial(decode, network, maps, tuple(image.shape[2:]))
    return in_turn(runs, 4 * rounds)


def kernel_share(rounds: int) -> Dict[str, float]:
    """Speed of whole 3 x 3 convolutions, the packing of their input included, against registers alone; one thread."""
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        done, _ = peak_rate(15_000, 144)
        best = max(best, done / (time.perf_counter() - start))
    rates = {}
    for channels, size in ((128, 56), (256, 28), (512, 14)):
        layer, x = lone_layer(channels, size)
        dots = torch.empty_like(x, dtype=torch.int32)
        tensors = layer.tensors()
        seconds = in_turn({'run': lambda: run_dots(x, layer.spec, tensors, dots)}, rounds * 4)['run']
        rates[str(channels)] = 9 * channels**2 * size**2 / seconds
    return dict(peak=best, **rates)


def lone_layer(channels: int, size: int) -> Tuple[PackedLayer, Tensor]:
    """A binary 3 x 3 convolution with scale and shift, and an input for it."""
    spec = LayerSpec('binary', channels, channels, kernel=(3, 3), padding=(1, 1))
    weight = torch.rand(spec.weight_shape) < 0.5
    layer = PackedLayer(spec, weight, torch.ones(channels), torch.zeros(channels), torch.zeros(channels))
    return layer, torch.randn(1, channels, size, size).to(memory_format=torch.channels_last)


def larq_pair(python: str, rounds: int) -> Dict[str, float]:
    """Seconds of one convolution of 128 channels on 56 x 56 pixels, float map to float map, one thread: ours and larq's."""
    layer, x = lone_layer(128, 56)
    chain = PackedChain([layer])
    ours = in_turn(dict(run=lambda: chain(x)), rounds)['run']
    command = [python, str(Path(__file__).with_name('benchmark_larq.py')), '--channels', '128', '--size', '56', '--rounds',
               str(rounds)]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return dict(packed_layer=ours, larq_layer=json.loads(result.stdout.splitlines()[-1])['seconds'])


def measure_memory(args: argparse.Namespace) -> None:
    """Prints the peak of this process's memory while it loads a form of the detector and runs it, above what it was."""
    file = Path(args.memory_file)
    image = torch.randn(1, 3, args.memory_size, args.memory_size)
    if args.memory_of == 'float':
        import mmdet.models  # noqa: F401  what is imported is not the network's
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
    before = status('VmRSS')
    with torch.inference_mode():
        if args.memory_of == 'float':
            model = build_detector(args.config)
            model.load_state_dict(torch.load(file, weights_only=True))
            model(image, mode='tensor')
        else:
            PackedDetector(file, args.threads).detect_prepared(image[0].numpy(), (args.memory_size, args.memory_size))
    print(json.dumps(dict(bytes=status('VmHWM') - before)))


def status(name: str) -> int:
    """A number of bytes that Linux gives of this process."""
    line, = (line for line in Path('/proc/self/status').read_text().splitlines() if line.startswith(name + ':'))
    return int(line.split()[1]) * 1024


def peak_memory(args: argparse.Namespace, model: nn.Module) -> Dict[str, int]:
    """Peak memory of the float and the packed detector, each loaded from its file in a process of its own."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for form in ('float', 'packed'):
            file = Path(folder, form)
            if form == 'float':
                torch.save(model.state_dict(), file)
            else:
                save_packed(file, packed_file(model))
            command = [sys.executable, __file__, args.config, '--memory-of', form, '--memory-file', str(file),
                       '--memory-size', str(args.memory_size), '--threads', str(args.threads)]
            result = subprocess.run(command, check=True, capture_output=True, text=True)
            found[form] = json.loads(result.stdout.splitlines()[-1])['bytes']
    return found


def own_file(args: argparse.Namespace) -> Dict[str, Any]:
    """Times of a packed file on an image."""
    if args.image is None:
        raise ValueError(f"no image is given to time '{args.config}' on: benchmark_packed.py FILE IMAGE")
    detector = PackedDetector(args.config, args.threads)
    found = time_detector(detector, load_packed(args.config).info['network'], args.image, args.rounds)
    return dict(found, threads=args.threads, rounds=args.rounds, image=args.image, file=args.config,
                file_bytes=Path(args.config).stat().st_size, cpu=cpu_name(), isa=current_isa())


class LastMap(nn.Module):
    """A backbone with its last output alone."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, x: Tensor) -> Tensor:
        return self.backbone(x)[-1]


def onnx_runs(model: nn.Module, image: Tensor, count: int) -> Dict[str, Callable[[], object]]:
    """The backbone in onnxruntime, float32 and with 8-bit weights and activations; empty where it is not installed."""
    try:
        import onnxruntime
        from onnxruntime.quantization import QuantType, quantize_dynamic
    except ImportError:
        return {}
    from nasbnn_det.deploy.onnx_export import export_onnx
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = count
    runs: Dict[str, Callable[[], object]] = {}
    with tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder, 'float.onnx'), Path(folder, 'int8.onnx')
        export_onnx(LastMap(model), plain, [tuple(image.shape)], check=False)
        quantize_dynamic(plain, small, weight_type=QuantType.QUInt8)
        for name, file in (('onnxruntime_float', plain), ('onnxruntime_int8', small)):
            session = onnxruntime.InferenceSession(str(file), options, providers=['CPUExecutionProvider'])
            feed = {session.get_inputs()[0].name: image.numpy()}
            runs[name] = lambda session=session, feed=feed: session.run(None, feed)
    return runs


@torch.inference_mode()
def main() -> None:
    args = parse_args()
    if args.memory_of:
        return measure_memory(args)
    if args.config.endswith('.safetensors'):
        print(json.dumps(own_file(args)))
        return
    if args.image is not None:
        raise ValueError(f"an image is for a packed file, whose name ends in .safetensors; '{args.config}' is none")
    from torchvision.models import mobilenet_v2
    model = build_detector(args.config)
    recalibrate_bn(model, [torch.randn(2, 3, 128, 128)])
    image = torch.randn(1, 3, args.size, args.size)
    backbone, packed = model.backbone, pack(model.backbone)
    last = image.to(memory_format=torch.channels_last)
    mobilenet = mobilenet_v2(weights=None).features.eval().to(memory_format=torch.channels_last)
    runs: Dict[str, Callable[[], object]] = dict(
        packed=lambda: packed(image), float=lambda: backbone(image), mobilenet_v2=lambda: mobilenet(last))
    with threads(args.threads):
        times = in_turn(runs, args.rounds)
        detector, ssdlite = detector_pair(model, image, args.threads)
        times.update(in_turn(dict(detector=detector, ssdlite=ssdlite), args.rounds, pause=PAUSE))
        times.update(decoding(model, image, args.rounds))
        times.update(in_turn(onnx_runs(backbone, image, args.threads), args.rounds))
        if 'avx2' in available_isas():
            with using_isa('avx2'):
                times['packed_avx2'] = in_turn(dict(run=runs['packed']), args.rounds)['run']
    times.update(in_turn({f'packed_{count}_threads': on_threads(count, runs['packed']) for count in (1, args.threads)},
                         args.rounds))
    with threads(1):
        share = kernel_share(args.rounds)
        if args.larq:
            times.update(larq_pair(args.larq, args.rounds))
    memory = peak_memory(args, model)
    print(json.dumps(dict(
        backbone_speedup=times['float'] / times['packed'],
        backbone_vs_mobilenet_v2=times['packed'] / times['mobilenet_v2'],
        detector_vs_ssdlite=times['detector'] / times['ssdlite'],
        kernel_share_of_peak={name: rate / share['peak'] for name, rate in share.items() if name != 'peak'},
        avx2_speedup=times['float'] / times['packed_avx2'] if 'packed_avx2' in times else None,
        thread_scaling=times['packed_1_threads'] / times[f'packed_{args.threads}_threads'],
        memory_share=memory['packed'] / memory['float'],
        seconds=times, binary_macs_per_second=share, memory_bytes=memory,
        config=args.config, size=args.size, memory_size=args.memory_size, threads=args.threads, rounds=args.rounds,
        cpu=cpu_name(), isa=current_isa(), torch=torch.__version__)))


if __name__ == '__main__':
    run_tool(main)
