"""What benchmarks say of the machine that they ran on."""
import platform
from pathlib import Path


def cpu_name() -> str:
    """What the processor calls itself."""
    lines = Path('/proc/cpuinfo').read_text().splitlines() if Path('/proc/cpuinfo').is_file() else []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor()
