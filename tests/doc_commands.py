"""The shell commands that README and docs show, as bash itself takes them apart."""
import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Sequence, Tuple

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md')),
         *(ROOT / folder / 'README.md' for folder in ('configs', 'configs/detection', 'mmcv-torchvision-ops'))]
_SHELL = ('bash', 'sh', 'shell', 'console')
_NAMES = r'(?:python|\$PY|make|mim|pip|uv|nasbnn-det|tensorboard|pre-commit|\.venv/bin/\S+|(?:tools/)?\w[\w/]*\.(?:py|sh))'
_ASSIGNMENT = re.compile(r'[A-Z_]+=(?:\S*|"[^"]*"|\$\([^)]*\))(?:\s+#.*)?$')
_INTERPRETERS = ('python', '.venv/bin/python')
# Commands are functions that write down their words. Names without one come to bash's handler.
_RECORDER = r'''
record() { printf '%s\0' "$@"; printf '\036'; }
command_not_found_handle() { record "$@"; }
cat() { if [[ -f $1 ]]; then printf '%s' "$(< "$1")"; else echo "$1"; fi; }
'''


@dataclass(frozen=True)
class Line:
    """A line of a page that a user types.

    Args:
        page (str): The page, relative to the repository's root.
        text (str): The line, its continuations joined.
        before (tuple[str]): The page's settings of variables above it.
        inline (bool): Whether it stands within a sentence, where arguments may be left out.
    """
    page: str
    text: str
    before: Tuple[str, ...]
    inline: bool


def shell_lines(page: Path) -> List[Line]:
    """All commands of a page in their order: those of shell blocks, of indented blocks, and within sentences and tables."""
    lines: List[Line] = []
    before: List[str] = []
    for text, inline in _texts(page.read_text(encoding='utf-8')):
        if not inline and _ASSIGNMENT.match(text):
            before.append(text)
        else:
            lines.append(Line(str(page.relative_to(ROOT)), text, tuple(before), inline))
    return lines


def _texts(markdown: str) -> Iterator[Tuple[str, bool]]:
    for part in re.split(r'(^```.*?^```$)', markdown, flags=re.M | re.S):
        language = re.match(r'```(\w*)\n', part)
        if language:
            if language[1] in _SHELL:
                yield from ((text, False) for text in _joined(part.split('\n')[1:-1]))
            continue
        for block in re.split(r'((?:^    .*\n)+)', part, flags=re.M):
            if block.startswith('    '):
                lines = _joined(line[4:] for line in block.splitlines())
                yield from ((text, False) for text in lines if re.match(_NAMES + r'(?:\s|$)', text))
                continue
            for span in re.findall(r'`([^`]+)`', block):
                text = ' '.join(span.split())
                if re.match(_NAMES + r'\s', text):
                    yield text, True


def _joined(lines) -> Iterator[str]:
    """Lines without comments and blank ones, those joined that end in a backslash."""
    for text in re.sub(r'\\\n\s*', '', '\n'.join(lines)).split('\n'):
        if text.strip() and not text.startswith('#'):
            yield text.strip()


def words(line: Line, folder: Path = ROOT, replaced: Sequence[Tuple[str, str]] = ()) -> List[List[str]]:
    """The commands of a line as lists of words, variables and patterns filled in, nothing executed.

    Args:
        line (Line): The line.
        folder (Path): Where patterns and files named by ``$(cat FILE)`` are looked for.
        replaced (Sequence[tuple[str, str]]): Words of the docs' that stand for something, and what for.

    Raises:
        ValueError: If bash can't read the line.
    """
    mmdet = Path(importlib.util.find_spec('mmdet').origin).parent / '.mim'
    text = '\n'.join((*line.before, line.text)).replace('$(echo .venv/lib/python3.*/site-packages/mmdet/.mim)', str(mmdet))
    for name, value in replaced:
        text = re.sub(rf'(?<![\w./$]){re.escape(name)}(?![\w./=])', lambda _: value, text)
    if line.inline and '$PY' in text and 'PY=' not in text:
        text = f'PY=python\n{text}'
    # Names with a slash are never looked up by the handler.
    slashed = sorted(set(re.findall(r'(?:^|&& |\n)((?:\./|\.venv/bin/|tools/)[\w./-]+)', text)) | {'.venv/bin/python'})
    functions = ''.join(f'{name}() {{ record {name} "$@"; }}\n' for name in slashed)
    script = f'PATH=/nowhere\n{_RECORDER}{functions}{text}\n'
    done = subprocess.run(['/bin/bash', '-c', script], cwd=folder, capture_output=True, text=True)
    if done.returncode or done.stderr:
        raise ValueError(f"bash can't read '{line.text}': {done.stderr.strip()}")
    return [_normal(command.split('\0')[:-1]) for command in done.stdout.split('\036')[:-1]]


def _normal(command: List[str]) -> List[str]:
    """An interpreter is 'python', and a tool run by itself is run by it."""
    if command[0] in _INTERPRETERS:
        return ['python', *command[1:]]
    if command[0].endswith('.py'):
        return ['python', *command]
    return [command[0].replace('.venv/bin/', ''), *command[1:]]
