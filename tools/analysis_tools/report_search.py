"""Writes a search on one page: its front, its history, and every architecture of the front as a drawing.

The HTML file needs no other file and no network. A click on a point shows its architecture, and the line that names it in a
config. A search writes it itself when it ends; the tool takes unfinished ones too, and imported releases.
"""
import argparse
from pathlib import Path

from nasbnn_det.cli import run_tool
from nasbnn_det.files import replace_text
from nasbnn_det.search.state import SearchFiles
from nasbnn_det.visualization.search_facts import read_search
from nasbnn_det.visualization.search_report import search_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('work_dir', type=Path, help='work directory of a search')
    parser.add_argument('--out', type=Path, help='HTML file to write; default: WORK_DIR/search.html')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    facts = read_search(args.work_dir)
    out = args.out or args.work_dir / SearchFiles.page
    if out.suffix.lower() not in ('.html', '.htm'):
        raise ValueError(f"--out '{out}' is no page; its name must end in .html")
    replace_text(out, search_report(facts, f'Search {args.work_dir.resolve().name}'))
    print(f'written: {out}')


if __name__ == '__main__':
    run_tool(main)
