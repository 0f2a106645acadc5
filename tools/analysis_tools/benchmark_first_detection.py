"""Measures what a packed detector costs a process that is started for it, and what two threads bring on a busy machine.

Prints one JSON line: seconds from the start of the interpreter to the first detection and the memory of the process then,
medians of fresh processes; and the medians of one image on one and on two threads, alone and beside busy processes.
"""
import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List

import numpy as np

from nasbnn_det.cli import run_tool
from nasbnn_det.cli.machine import cpu_name
from nasbnn_det.runtime import PackedDetector, current_isa

_FIRST = '''
import sys
import time
import numpy as np
bare = time.perf_counter()
from nasbnn_det.runtime import PackedDetector
detector = PackedDetector(sys.argv[1], int(sys.argv[3]))
detector(np.load(sys.argv[2]) if sys.argv[2].endswith('.npy') else sys.argv[2])
ours = time.perf_counter() - bare
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(ours, int(status['VmRSS'].split()[0]), int(status['VmHWM'].split()[0]), 'torch' in sys.modules)
'''


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('file', help='packed detector')
    parser.add_argument('image', help='an image, or an array of one, .npy, that needs no reader of images')
    parser.add_argument('--threads', type=int, default=2, help='for the first detection')
    parser.add_argument('--busy', type=int, default=2, help='processes that compute beside it')
    parser.add_argument('--rounds', type=int, default=15)
    return parser.parse_args()


def first_detections(args: argparse.Namespace) -> Dict[str, float]:
    """Medians of fresh processes."""
    rows: List[List[float]] = []
    for _ in range(args.rounds):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, '-c', _FIRST, args.file, args.image, str(args.threads)], check=True,
                              capture_output=True, text=True)
        whole = time.perf_counter() - start
        ours, resident, peak, torch = done.stdout.split()
        if torch == 'True':
            raise ValueError('PyTorch was imported')
        rows.append([whole, float(ours), float(resident) / 1024, float(peak) / 1024])
    names = ('whole_process_seconds', 'import_and_first_detection_seconds', 'resident_mib', 'peak_mib')
    return dict(zip(names, map(statistics.median, zip(*rows))))


def image_seconds(detectors: Dict[str, PackedDetector], image: np.ndarray, rounds: int) -> Dict[str, float]:
    """Median seconds of an image, the detectors in turn."""
    times: Dict[str, List[float]] = {name: [] for name in detectors}
    for _ in range(rounds):
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector(image)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    args = parse_args()
    from nasbnn_det.runtime.preprocess import read_image
    image = np.load(args.image) if Path(args.image).suffix == '.npy' else read_image(args.image)
    detectors = {str(count): PackedDetector(args.file, count) for count in (1, 2)}
    found = dict(first_detections(args), quiet=image_seconds(detectors, image, 10 * args.rounds))
    busy = [subprocess.Popen([sys.executable, '-c', 'while True: pass']) for _ in range(args.busy)]
    try:
        time.sleep(1)
        found['busy'] = image_seconds(detectors, image, 10 * args.rounds)
    finally:
        for process in busy:
            process.kill()
            process.wait()
    print(json.dumps(dict(
        found, two_threads_to_one_quiet=found['quiet']['2'] / found['quiet']['1'],
        two_threads_to_one_busy=found['busy']['2'] / found['busy']['1'], busy_processes=args.busy, rounds=args.rounds,
        threads=args.threads, cpu=cpu_name(), isa=current_isa())))


if __name__ == '__main__':
    run_tool(main)
