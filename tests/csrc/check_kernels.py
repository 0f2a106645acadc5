"""Compiles the library with sanitizers and runs random chains, small networks and mutations of their files on it; see
docs/deployment.md.

Standard library only, and nothing of the package is imported but ``build.py``: this runs where no torch is.
"""
import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import small_network

HERE = Path(__file__).resolve().parent
#: What is compiled together with the library.
PROGRAM = [HERE / name for name in ('checks.cpp', 'random_chains.cpp', 'random_networks.cpp')]
SANITIZERS = ['-O1', '-g', '-fno-omit-frame-pointer', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']
CROSS_COMPILER, EMULATOR = 'aarch64-linux-gnu-g++', 'qemu-aarch64-static'


def load_build() -> ModuleType:
    """The package's ``build.py``."""
    spec = importlib.util.spec_from_file_location('build', HERE.parents[1] / 'nasbnn_det' / 'native' / 'build.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--neon', action='store_true', help=f'compile with {CROSS_COMPILER} and run under {EMULATOR}')
    parser.add_argument('--chains', type=int, help='how many random chains; 2000, or 500 with --neon')
    parser.add_argument('--first', type=int, default=0, help='number of the first chain, to repeat one that failed')
    parser.add_argument('--mutations', type=int, help='how many mutations of each network\'s file; 3000, or 300 with --neon')
    args = parser.parse_args()
    chains = (500 if args.neon else 2000) if args.chains is None else args.chains
    mutations = (300 if args.neon else 3000) if args.mutations is None else args.mutations
    build = load_build()
    machine, runner = None, []
    if args.neon:
        missing = [name for name in (CROSS_COMPILER, EMULATOR) if shutil.which(name) is None]
        if missing:
            sys.exit(f"error: {' and '.join(missing)} not found; Debian's packages g++-aarch64-linux-gnu and "
                     'qemu-user-static have them')
        os.environ['CXX'] = CROSS_COMPILER
        machine, runner = 'aarch64', [EMULATOR, '-L', '/usr/aarch64-linux-gnu']
        # A process that is emulated can't be searched for leaks.
        os.environ['ASAN_OPTIONS'] = 'detect_leaks=0'
    with tempfile.TemporaryDirectory() as folder:
        try:
            program = build.build(Path(folder, 'checks'), SANITIZERS, machine, PROGRAM)
        except build.CompileError as error:
            sys.exit(f'error: {error}')
        files = [Path(folder, f'{kind}.safetensors') for kind in small_network.KINDS]
        for file in files:
            small_network.write(file, kind=file.stem)
        result = subprocess.run([*runner, str(program), str(chains), str(args.first), str(mutations), *map(str, files)])
    sys.exit(result.returncode)


if __name__ == '__main__':
    main()
