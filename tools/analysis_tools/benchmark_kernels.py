"""Times the kernels of every instruction set of this machine against each other and against loops on registers alone.

Binary 3 x 3 convolutions, the packing of their input included, and a packed backbone with random weights, one thread. All
runs in turn, in seconds of the thread's own CPU time. On a machine with other work, which takes caches and half of a core
that two threads share, medians tell what is usual and the best rounds what the kernels can do; both are given. The
ceiling of a layer is the same technique on registers alone, in dot products of the layer's length; the longest have the
highest one. Prints one JSON line.
"""
import argparse
import json
import statistics
import time
from typing import Callable, Dict, List

import torch
from benchmark_packed import CONFIG, build_detector, lone_layer, threads

from nasbnn_det.cli import run_tool
from nasbnn_det.cli.machine import cpu_name
from nasbnn_det.native import peak_rate, using_isa
from nasbnn_det.runtime import available_isas, pack
from nasbnn_det.runtime.bits import words_of
from nasbnn_det.runtime.ops import run_dots

#: Channels, and height and width of the maps.
LAYERS = {64: 80, 128: 56, 256: 28, 512: 14}
#: Those that the shares and speed-ups are about.
LONG = (128, 256, 512)
#: Calls of a layer in a measurement; the first one finds cold caches.
_CALLS = 10
_PEAK_WORDS = 1_000_000

#: Instruction sets that this machine can run, best first.
_ISAS = available_isas()[:-1]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', default=CONFIG, help='config of a detector with a found backbone')
    parser.add_argument('--size', type=int, default=320, help="height and width of the backbone's image in pixels")
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--isas', nargs='+', default=_ISAS,
                        help='instruction sets; by default all that this machine can run')
    return parser.parse_args()


def layer_words(channels: int) -> int:
    """Words of 32 bits of a dot product."""
    return 9 * words_of(channels)


def layer_macs(channels: int) -> int:
    """Binary multiply-accumulates of a layer; kernel rows outside the image are left out."""
    size = LAYERS[channels]
    return 3 * channels**2 * size * (3 * size - 2)


def layer_runs() -> Dict[str, Callable[[], object]]:
    """Some calls of one convolution, for each number of channels."""
    runs: Dict[str, Callable[[], object]] = {}
    for channels, size in LAYERS.items():
        layer, x = lone_layer(channels, size)
        dots, tensors = torch.empty_like(x, dtype=torch.int32), layer.tensors()
        runs[str(channels)] = lambda x=x, spec=layer.spec, tensors=tensors, dots=dots: [
            run_dots(x, spec, tensors, dots) for _ in range(_CALLS)]
    return runs


def peak_runs() -> Dict[str, Callable[[], object]]:
    """Dot products on registers alone, of the same lengths."""
    return {f'peak {channels}': lambda words=layer_words(channels): peak_rate(_PEAK_WORDS // words, words)
            for channels in LAYERS}


def time_all(runs: Dict[str, Callable[[], object]], isas: List[str], rounds: int) -> Dict[str, Dict[str, List[float]]]:
    """Seconds of each function on each instruction set in all rounds but the first; a round runs them all."""
    times: Dict[str, Dict[str, List[float]]] = {isa: {name: [] for name in runs} for isa in isas}
    for i in range(rounds + 1):
        for name, run in runs.items():
            for isa in isas:
                with using_isa(isa):
                    start = time.thread_time()
                    run()
                    if i:
                        times[isa][name].append(time.thread_time() - start)
    return times


def peak_macs(isa: str, channels: int) -> int:
    """Multiply-accumulates of one of :func:`peak_runs`."""
    words = layer_words(channels)
    with using_isa(isa):
        return peak_rate(1, words)[0] * (_PEAK_WORDS // words)


def summarize(times: Dict[str, Dict[str, List[float]]], choose: Callable[[List[float]], float]) -> dict:
    """Speeds, shares and speed-ups by medians or by the best rounds."""
    isas = {}
    for isa, of_isa in times.items():
        seconds = {name: choose(values) for name, values in of_isa.items()}
        seconds.update({str(channels): seconds[str(channels)] / _CALLS for channels in LAYERS})
        peaks = {c: peak_macs(isa, c) / seconds.pop(f'peak {c}') for c in LAYERS}
        rates = {c: layer_macs(c) / seconds[str(c)] for c in LAYERS}
        isas[isa] = dict(seconds=seconds, macs_per_second=rates, peak_macs_per_second=peaks,
                         share_of_peak={c: rates[c] / peaks[c] for c in LAYERS},
                         share_of_longest_peak={c: rates[c] / max(peaks.values()) for c in LAYERS})
    speedup = None
    if {'avx512bw', 'avx2'} <= set(isas):
        slow, fast = (isas[name]['seconds'] for name in ('avx2', 'avx512bw'))
        speedup = {name: slow[name] / fast[name] for name in (*map(str, LONG), 'backbone')}
    share = {c: isas['avx2']['share_of_peak'][c] for c in LONG} if 'avx2' in isas else None
    return dict(avx2_share_of_peak=share, avx512_no_vpopcntdq_speedup=speedup, isas=isas)


@torch.inference_mode()
def main() -> None:
    args = parse_args()
    missing = sorted(set(args.isas) - set(_ISAS))
    if missing:
        raise ValueError(f"--isas names {', '.join(missing)}; allowed on this machine are {', '.join(_ISAS)}")
    backbone = pack(build_detector(args.config).backbone)
    image = torch.randn(1, 3, args.size, args.size)
    with threads(1):
        times = time_all({**layer_runs(), **peak_runs(), 'backbone': lambda: backbone(image)}, args.isas, args.rounds)
    print(json.dumps(dict(**summarize(times, statistics.median), best=summarize(times, min), config=args.config,
                          size=args.size, rounds=args.rounds, cpu=cpu_name(), torch=torch.__version__)))


if __name__ == '__main__':
    run_tool(main)
