"""Turns the files of NAS-BNN's public release into ours: a supernet checkpoint and a front.

Writes supernet.pth, keys.json (every key of the release and what became of it) and, with --info, front.json,
history.jsonl and front.png. The search, extraction, fine-tuning and detectors then go on from there.
"""
import argparse
import json
from pathlib import Path

from nasbnn_det.arch import Front, read_space
from nasbnn_det.cli import run_tool
from nasbnn_det.files import replace_text
from nasbnn_det.official_release import load_released_front, load_released_supernet
from nasbnn_det.search.state import save_history
from nasbnn_det.supernet import file_sha256, save_supernet
from nasbnn_det.visualization.plots import plot_front


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('checkpoint', help="the release's checkpoint.pth.tar")
    parser.add_argument('--info', help="the release's info.pth.tar, the result of a search")
    parser.add_argument('--space', default='imagenet', help='name of the search space, or a JSON file with its table')
    parser.add_argument('--shape', type=int, nargs=2, default=[224, 224],
                        help='height and width in pixels that the search counted OPs for')
    parser.add_argument('--out', required=True, help='folder to write into')
    return parser.parse_args()


def _check_folder(out: Path) -> None:
    """Refuses a folder with files of these names that this tool did not write; keys.json is a mark of its own."""
    there = [name for name in ('supernet.pth', 'front.json', 'history.jsonl', 'front.png') if (out / name).exists()]
    if there and not (out / 'keys.json').is_file():
        raise ValueError(f"'{out}' has a {there[0]} already, which this tool would replace; choose another folder for --out")


def main() -> None:
    args = parse_args()
    space = read_space(args.space)
    _check_folder(Path(args.out))
    released = load_released_supernet(args.checkpoint, space)
    classes, out, shape = released.supernet.num_classes, Path(args.out), tuple(args.shape)
    # Read everything before anything is written.
    found = load_released_front(args.info, space, shape, classes) if args.info else None
    save_supernet(out / 'supernet.pth', released.supernet, source_sha256=file_sha256(args.checkpoint))
    keys = dict(used=released.used, recomputed=released.recomputed)
    replace_text(out / 'keys.json', json.dumps(keys, indent=1) + '\n')
    print(f"space '{space.name}', {classes} classes: {len(released.used)} keys used, "
          f'{len(released.recomputed)} that hold nothing learned, none left over or missing')
    print(f"written: {out / 'supernet.pth'}, {out / 'keys.json'}")
    if found is not None:
        front, visited = found
        info = dict(front.info, input_size=list(shape), num_classes=classes, supernet='supernet.pth',
                    supernet_sha256=file_sha256(out / 'supernet.pth'))
        Front(front.entries, info).save(out / 'front.json')
        save_history(out / 'history.jsonl', visited)
        plot_front(out / 'front.png', visited, front.entries, info['metric'])
        print(f"written: {out / 'front.json'} with {len(front.entries)} of {len(visited)} architectures, "
              f"{front.entries[0].ops / 1e6:.2f}M to {front.entries[-1].ops / 1e6:.2f}M OPs, history.jsonl, front.png")


if __name__ == '__main__':
    run_tool(main)
