"""Exports small networks as C and runs them for Cortex-M processors in an emulator; see docs/deployment.md."""
import json
import sys
import tempfile
from pathlib import Path

from c99_networks import write_classifier, write_detector, write_random

from nasbnn_det.deploy.c99 import TARGETS, check_program, export_c


def main() -> None:
    emulated = [name for name, target in TARGETS.items() if target.machine]
    for name in emulated:
        if TARGETS[name].missing():
            sys.exit(f"error: {' and '.join(TARGETS[name].missing())} not found; Debian's {TARGETS[name].package} have what "
                     'is needed')
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        networks = dict(classifier=write_classifier, detector=write_detector)
        networks.update({f'random {seed}': lambda path, seed=seed: write_random(path, seed) for seed in range(8)})
        for title, write in networks.items():
            report = export_c(write(Path(folder, f'{title}.safetensors')), folder)
            for target in emulated:
                result = check_program(folder, 'network', target)
                if not result['passed']:
                    failed.append(f'{title} on {target}')
                print(json.dumps(dict(network=title, input=report['input'], macs=report['macs'], target=target, **result)))
    sys.exit(f"error: other bits than the packed runtime's: {', '.join(failed)}" if failed else 0)


if __name__ == '__main__':
    main()
