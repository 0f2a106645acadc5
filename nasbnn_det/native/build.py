"""Compiles the kernels; as a program, ``python build.py FOLDER``, into a folder. Standard library only: ``setup.py`` loads
this file by itself.

Each source file is one translation unit; the kernels of an instruction set need its flags, everything else is compiled for
the plain architecture. The result is a shared library with a C interface that knows nothing of PyTorch or
Python, so it fits every version of both.
"""
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

SOURCE_DIR = Path(__file__).resolve().parent / 'csrc'
#: Where the public header of a whole detector is, ``nasbnn_det.h``.
INCLUDE_DIR = SOURCE_DIR.with_name('include')
LIBRARY_NAME = 'libnasbnn_kernels.so'
#: Beside a library that came with the package: the :func:`source_hash` it was made from.
STAMP_NAME = 'sources.sha256'

_COMMON = ['-std=c++17', '-fPIC', '-fvisibility=hidden', '-ffp-contract=off', '-fno-math-errno',
           '-fno-trapping-math', '-pthread']
#: What ``platform.machine()`` calls the machines of ``csrc/isas.h``.
_MACHINES = {'x86_64': 'X86', 'amd64': 'X86', 'aarch64': 'ARM', 'arm64': 'ARM'}


class Isa(NamedTuple):
    """An instruction set that has kernels: an entry of ``csrc/isas.h``."""
    name: str
    machine: str
    flags: Tuple[str, ...]

    @property
    def source(self) -> str:
        """The name of the file with its kernels."""
        return f'isa_{self.name}.cpp'


def read_isas(machine: Optional[str] = None) -> List[Isa]:
    """The instruction sets of a machine (``platform.machine()`` by default) that the kernels are built for, best first."""
    entries = re.findall(r'^NB_ISA\((\w+), (\w+), "([^"]*)"', (SOURCE_DIR / 'isas.h').read_text(encoding='utf-8'), re.M)
    wanted = ('ANY', _MACHINES.get((machine or platform.machine()).lower()))
    return [Isa(name, of, tuple(flags.split())) for name, of, flags in entries if of in wanted]


class CompileError(RuntimeError):
    """The compiler is missing or failed."""


def find_compiler() -> Optional[str]:
    """The C++ compiler: ``CXX`` of the environment, else c++, g++ or clang++; None if there is none."""
    wanted = os.environ.get('CXX')
    for name in ([wanted] if wanted else ['c++', 'g++', 'clang++']):
        if shutil.which(name.split()[0]):
            return name
    return None


def source_files(machine: Optional[str] = None) -> List[Path]:
    """The translation units for a machine (``platform.machine()`` by default)."""
    general = [path for path in SOURCE_DIR.glob('*.cpp') if not path.name.startswith('isa_')]
    return sorted(general) + [SOURCE_DIR / isa.source for isa in read_isas(machine)]


def source_hash() -> str:
    """SHA-256 of everything the library is made of: sources, headers and this file."""
    digest = hashlib.sha256()
    for path in [Path(__file__).resolve(), *sorted(INCLUDE_DIR.iterdir()), *sorted(SOURCE_DIR.iterdir())]:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def build(target: Path,
          flags: Sequence[str] = ('-O3', ),
          machine: Optional[str] = None,
          program: Sequence[Path] = ()) -> Path:
    """Compiles and links the library, or a program that has the kernels in it.

    Args:
        target (Path): The file to write; replaced whole.
        flags (Sequence[str]): Optimisation or sanitizer flags. Defaults to -O3.
        machine (str, optional): As for :func:`source_files`; for cross compilers. Defaults to None.
        program (Sequence[Path]): Sources of a program to make instead of the library; they may include the kernels'
            headers. Defaults to none.

    Returns:
        Path: ``target``.

    Raises:
        CompileError: If there is no compiler, or it fails.
    """
    compiler = find_compiler()
    if compiler is None:
        raise CompileError('there is no C++ compiler (c++, g++ or clang++; CXX names another)')
    command = [*compiler.split(), *_COMMON, *flags]
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        sources = [*source_files(machine), *program]
        special = {isa.source: isa.flags for isa in read_isas(machine)}
        objects = [str(Path(folder, source.stem + '.o')) for source in sources]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(_run, [*command, f'-I{SOURCE_DIR}', *special.get(source.name, ()),
                                       '-c', str(source), '-o', out])
                    for source, out in zip(sources, objects)]
            for job in jobs:
                job.result()
        linked = str(Path(folder, 'linked'))
        _run([*command, *([] if program else ['-shared']), *objects, '-o', linked])
        os.replace(linked, target)
    return target


def _run(command: List[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise CompileError(f"'{' '.join(command)}' failed:\n{result.stderr.strip()}")


if __name__ == '__main__':
    try:
        print(build(Path(sys.argv[1] if len(sys.argv) > 1 else '.', LIBRARY_NAME)))
    except CompileError as error:
        sys.exit(f'error: {error}')
