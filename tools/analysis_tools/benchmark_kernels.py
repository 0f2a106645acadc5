"""Times the kernels of every instruction set of this machine against each other and against loops on registers alone.

Binary 3 x 3 convolutions, the packing of their input included, and a packed backbone with random weights, one thread. All
runs in turn; medians of the rounds, in seconds of the thread's own CPU time: other programs cost it caches, not time. The
ceiling of a layer is the same technique on registers alone, in dot products of the layer's length; the longest have the
highest one. Prints one JSON line.
"""
import argparse
import json
import time
from typing import Callable, Dict, List

import torch
from benchmark_packed import CONFIG, build_detector, in_turn, lone_layer, threads

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
_PEAK_WORDS = 1_000_000
_CLOCK = time.thread_time


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', default=CONFIG, help='config of a detector with a found backbone')
    parser.add_argument('--size', type=int, default=320, help="height and width of the backbone's image in pixels")
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--isas', nargs='+', choices=available_isas()[:-1], default=available_isas()[:-1],
                        help='instruction sets; by default all that this machine can run')
    return parser.parse_args()


def layer_words(channels: int) -> int:
    """Words of 32 bits of a dot product."""
    return 9 * words_of(channels)


def layer_macs(channels: int) -> int:
    """Binary multiply-accumulates that a layer's kernel does where no pixel is left out."""
    return 9 * channels**2 * LAYERS[channels]**2


def layer_runs() -> Dict[int, Callable[[], object]]:
    """One convolution for each number of channels."""
    runs: Dict[int, Callable[[], object]] = {}
    for channels, size in LAYERS.items():
        layer, x = lone_layer(channels, size)
        dots, tensors = torch.empty_like(x, dtype=torch.int32), layer.tensors()
        runs[channels] = lambda x=x, spec=layer.spec, tensors=tensors, dots=dots: run_dots(x, spec, tensors, dots)
    return runs


def on_isa(name: str, run: Callable[[], object]) -> Callable[[], object]:
    """The function, on an instruction set."""

    def wrapped() -> object:
        with using_isa(name):
            return run()

    return wrapped


def peak_rates(isas: List[str], rounds: int) -> Dict[str, Dict[int, float]]:
    """Multiply-accumulates a second on registers alone, of each instruction set and each layer's dot products."""
    runs: Dict[str, Callable[[], object]] = {}
    macs = {}
    for isa in isas:
        for channels in LAYERS:
            words = layer_words(channels)
            repeats = _PEAK_WORDS // words
            with using_isa(isa):
                macs[f'{isa} {channels}'], _ = peak_rate(repeats, words)
            runs[f'{isa} {channels}'] = on_isa(isa, lambda repeats=repeats, words=words: peak_rate(repeats, words))
    times = in_turn(runs, rounds, _CLOCK)
    return {isa: {c: macs[f'{isa} {c}'] / times[f'{isa} {c}'] for c in LAYERS} for isa in isas}


@torch.inference_mode()
def main() -> None:
    args = parse_args()
    isas = args.isas
    backbone = pack(build_detector(args.config).backbone)
    image = torch.randn(1, 3, args.size, args.size)
    runs = {f'{isa} {channels}': on_isa(isa, run) for channels, run in layer_runs().items() for isa in isas}
    runs.update({f'{isa} backbone': on_isa(isa, lambda: backbone(image)) for isa in isas})
    with threads(1):
        peaks = peak_rates(isas, args.rounds)
        times = in_turn(runs, args.rounds, _CLOCK)
    found = {}
    for isa in isas:
        rates = {c: layer_macs(c) / times[f'{isa} {c}'] for c in LAYERS}
        found[isa] = dict(
            seconds={str(what): times[f'{isa} {what}'] for what in (*LAYERS, 'backbone')},
            macs_per_second=rates,
            peak_macs_per_second=peaks[isa],
            share_of_peak={c: rates[c] / peaks[isa][c] for c in LAYERS},
            share_of_longest_peak={c: rates[c] / max(peaks[isa].values()) for c in LAYERS})
    speedup = None
    if {'avx512bw', 'avx2'} <= set(isas):
        speedup = {str(what): times[f'avx2 {what}'] / times[f'avx512bw {what}'] for what in (*LONG, 'backbone')}
    share = {c: found['avx2']['share_of_peak'][c] for c in LONG} if 'avx2' in isas else None
    print(json.dumps(dict(
        avx2_share_of_peak=share, avx512_no_vpopcntdq_speedup=speedup, isas=found, config=args.config, size=args.size,
        rounds=args.rounds, cpu=cpu_name(), torch=torch.__version__)))


if __name__ == '__main__':
    run_tool(main)
