"""Draws which rooms of the package import which, into docs/architecture.md, as a Mermaid graph.

Dotted are imports within functions, when something is asked for. Arrows that follow from others are left out: where a
imports b and c, and b imports c, there is none from a to c.
"""
import argparse
import ast
from pathlib import Path
from typing import Dict, Iterator, List, Set

from nasbnn_det.cli import run_tool
from nasbnn_det.files import replace_text

ROOT = Path(__file__).resolve().parents[2]
BEGIN, END = '<!-- rooms: tools/analysis_tools/draw_rooms.py -->', '<!-- end of rooms -->'
Arrows = Dict[str, Set[str]]


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--package', type=Path, default=ROOT / 'nasbnn_det', help='folder of the package')
    parser.add_argument('--page', type=Path, default=ROOT / 'docs' / 'architecture.md', help='where the graph is put')
    return parser.parse_args()


def read_arrows(package: Path, late: bool) -> Arrows:
    """The rooms that each room imports; modules beside the rooms are left out.

    Args:
        package (Path): Folder of the package.
        late (bool): Whether imports within functions count too.
    """
    rooms = {path.name for path in package.iterdir() if (path / '__init__.py').is_file()}
    arrows: Arrows = {room: set() for room in sorted(rooms)}
    for room, found in arrows.items():
        for path in sorted((package / room).rglob('*.py')):
            found |= {name for name in _imported(path, package, late) if name in rooms and name != room}
    return arrows


def _imported(path: Path, package: Path, late: bool) -> Iterator[str]:
    """Names right below the package that a file imports from."""
    folder = path.parent.relative_to(package.parent).parts
    nodes: List[ast.AST] = [ast.parse(path.read_text(encoding='utf-8'))]
    while nodes:
        node = nodes.pop()
        names: List[List[str]] = []
        if isinstance(node, ast.ImportFrom):
            above = list(folder[:len(folder) + 1 - node.level]) if node.level else []
            start = above + (node.module.split('.') if node.module else [])
            names = [[*start, alias.name] for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name.split('.') for alias in node.names]
        elif late or not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            nodes += ast.iter_child_nodes(node)
        yield from (name[1] for name in names if len(name) > 1 and name[0] == package.name)


def reachable(arrows: Arrows, start: str) -> Set[str]:
    """All rooms that one imports, by others too.

    Raises:
        ValueError: If a way leads back to it.
    """
    found: Set[str] = set()
    ahead = list(arrows[start])
    while ahead:
        room = ahead.pop()
        if room == start:
            raise ValueError(f"room '{start}' imports itself by others; rooms import in one direction")
        if room not in found:
            found.add(room)
            ahead += arrows[room]
    return found


def drawing(package: Path) -> str:
    """The graph's text.

    Raises:
        ValueError: If rooms import each other in a circle.
    """
    whole, first = read_arrows(package, late=True), read_arrows(package, late=False)
    for room in whole:
        reachable(whole, room)
    ways = {room: reachable(first, room) for room in first}
    lines = [f'    {room} --> {other}' for room, others in first.items() for other in sorted(others)
             if not any(other in ways[between] for between in others)]
    lines += [f'    {room} -.-> {other}' for room, others in whole.items() for other in sorted(others - ways[room])]
    lines += [f'    {room}' for room in whole if not any(room in line.split() for line in lines)]
    return '\n'.join(['```mermaid', 'graph TD', *lines, '```'])


def main() -> None:
    args = parse_args()
    text = args.page.read_text(encoding='utf-8')
    if BEGIN not in text or END not in text:
        raise ValueError(f"'{args.page}' has no place for the graph; it needs the lines '{BEGIN}' and '{END}'")
    before, rest = text.split(BEGIN, 1)
    replace_text(args.page, f'{before}{BEGIN}\n\n{drawing(args.package)}\n\n{END}{rest.split(END, 1)[1]}')


if __name__ == '__main__':
    run_tool(main)
