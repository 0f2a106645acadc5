"""Compiles exported C code and runs its check: on this machine, and for Cortex-M processors in an emulator."""
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from .export import SOURCES

FLAGS = ('-std=c99', '-Wall', '-Wextra', '-Werror', '-pedantic', '-O2', '-ffp-contract=off')


@dataclass(frozen=True)
class Target:
    """A processor.

    Args:
        compiler (str): The compiler.
        flags (tuple[str]): Of the processor.
        machine (str, optional): The emulator's board; None runs on this machine. Its memories are 4 MB for code and
            constants, and ``ram_size`` bytes at ``ram``, the board's largest memory.
        package (str): What Debian's packages with compiler and emulator are called.
    """
    compiler: str
    flags: Tuple[str, ...] = ()
    machine: Optional[str] = None
    package: str = 'gcc'
    ram: int = 0
    ram_size: int = 0

    def missing(self) -> List[str]:
        """The programs that it needs and this machine lacks."""
        needed = [self.compiler, *([_EMULATOR, _SIZE] if self.machine else [])]
        return [name for name in needed if shutil.which(name) is None]


_EMULATOR, _SIZE = 'qemu-system-arm', 'arm-none-eabi-size'
_EMULATION = ('-display', 'none', '-monitor', 'none', '-serial', 'none', '-semihosting-config', 'enable=on,target=native',
              '-icount', 'shift=0')
_PACKAGES = 'gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm'
TARGETS: Dict[str, Target] = {
    'host': Target('cc'),
    'cortex-m7': Target('arm-none-eabi-gcc', ('-mcpu=cortex-m7', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv5-sp-d16'),
                        'mps2-an500', _PACKAGES, 0x60000000, 16 << 20),
    'cortex-m4': Target('arm-none-eabi-gcc', ('-mcpu=cortex-m4', '-mthumb', '-mfloat-abi=hard', '-mfpu=fpv4-sp-d16'),
                        'mps2-an386', _PACKAGES, 0x21000000, 16 << 20),
}


def check_program(folder: Union[str, Path], name: str, target: str, timeout: float = 600,
                  flags: Sequence[str] = ()) -> Dict[str, Any]:
    """Compiles what :func:`nasbnn_det.deploy.c99.export_c` wrote, and runs its check.

    Args:
        folder: Where the files are.
        name (str): Their name.
        target (str): One of :data:`TARGETS`.
        timeout (float): Seconds that the check may take. Defaults to 600.
        flags (Sequence[str]): For the compiler, beside those of C99 and of the target. Defaults to none.

    Returns:
        dict: ``passed``, ``output``; of an emulated target also ``flash_bytes`` and ``ram_bytes`` (of the network's file
        alone, as ``arm-none-eabi-size`` tells them), ``stack_bytes`` that a run used, which are part of ``ram_bytes``, and
        ``instructions`` of a run.

    Raises:
        ValueError: If a program is missing, or the compiler refuses the code.
    """
    chosen = TARGETS[target]
    missing = chosen.missing()
    if missing:
        raise ValueError(f"{' and '.join(missing)} not found; Debian's {chosen.package} has what {target} needs")
    folder = Path(folder).resolve()
    observed = f'-D{name.upper()}_OBSERVED'
    with tempfile.TemporaryDirectory() as made:
        program = Path(made, 'check')
        command = [chosen.compiler, *FLAGS, *chosen.flags, *flags]
        sources = [str(folder / f'{name}.c'), str(folder / 'main.c')]
        if chosen.machine is None:
            _run([*command, observed, *sources, '-o', str(program)])
            return _check([str(program)], timeout)
        sections = ['-ffunction-sections', '-fdata-sections']
        alone = Path(made, 'network.o')
        _run([*command, *sections, '-c', str(folder / f'{name}.c'), '-o', str(alone)])
        text, data, bss = map(int, _run([_SIZE, str(alone)]).splitlines()[1].split()[:3])
        _run([*command, *sections, observed, f'-D{name.upper()}_MEASURED', '-nostartfiles', '-Wl,--gc-sections',
              f'-Wl,--defsym=RAM_BEGIN={chosen.ram}', f'-Wl,--defsym=RAM_SIZE={chosen.ram_size}',
              '-T', str(SOURCES / 'board.ld'), *sources, str(SOURCES / 'board.c'), '-o', str(program)])
        result = _check([_EMULATOR, '-machine', chosen.machine, *_EMULATION, '-kernel', str(program)], timeout)
    found = {key: int(value) for key, value in re.findall(r'^(instructions|stack) (\d+)$', result['output'], re.M)}
    stack = found.get('stack', 0)
    return dict(result, flash_bytes=text + data, ram_bytes=data + bss + stack, stack_bytes=stack,
                instructions=found.get('instructions', 0))


def _run(command: List[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise ValueError(f"'{' '.join(command)}' failed: {result.stderr.strip()}")
    return result.stdout


def _check(command: List[str], timeout: float) -> Dict[str, Any]:
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return dict(passed=False, output=f'it took more than {timeout:g} s')
    # Semihosting writes to stderr.
    output = result.stdout + result.stderr
    return dict(passed=result.returncode == 0 and 'PASSED' in output, output=output)
