"""``nasbnn-det detect FILE IMAGES...``: a packed detector on files, folders and videos, from the command line."""
import argparse
import json
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ..files import replace_text
from ..image_files import IMAGE_SUFFIXES
from .detections import Detections
from .detector import PackedDetector
from .preprocess import read_image

_VIDEOS = ('.avi', '.m4v', '.mkv', '.mov', '.mp4', '.webm')
_KNOWN = IMAGE_SUFFIXES + _VIDEOS


def find_inputs(given: Sequence[str]) -> List[Path]:
    """Images and videos that a command line names, those of a folder in the order of their names.

    Raises:
        FileNotFoundError: If a path does not exist.
        ValueError: If a file is neither by its ending, or nothing is left.
    """
    found: List[Path] = []
    for path in map(Path, given):
        if path.is_dir():
            found += sorted(p for p in path.rglob('*') if p.suffix.lower() in _KNOWN)
        elif not path.exists():
            raise FileNotFoundError(f"'{path}' does not exist; give images, videos or folders of them")
        elif path.suffix.lower() not in _KNOWN:
            raise ValueError(f"'{path}' is no image and no video by its ending; allowed are {' '.join(_KNOWN)}")
        else:
            found.append(path)
    if not found:
        raise ValueError(f"no images or videos in {', '.join(given)}; allowed endings are {' '.join(_KNOWN)}")
    return found


def as_rows(found: Detections, classes: Sequence[str], **where: Any) -> List[Dict[str, Any]]:
    """Detections as plain values: boxes as x, y, width, height in pixels, as in COCO's result files."""
    corners = found.boxes.astype(np.float64)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1).round(2)
    return [dict(where, category=classes[label], category_id=label + 1, bbox=box, score=round(score, 5))
            for box, label, score in zip(boxes.tolist(), found.labels.tolist(), found.scores.tolist())]


def _frames(path: Path) -> Iterator[np.ndarray]:
    import cv2  # images need none of it
    video = cv2.VideoCapture(str(path))
    try:
        if not video.isOpened():
            raise ValueError(f"video '{path}' can't be read; allowed is what this installation of OpenCV reads")
        while True:
            more, frame = video.read()
            if not more:
                return
            yield frame
    finally:
        video.release()


def _on_video(detector: PackedDetector, path: Path, picture: Optional[Path], score_thr: float) -> List[Dict[str, Any]]:
    import cv2
    rows: List[Dict[str, Any]] = []
    writer = None
    for number, frame in enumerate(_frames(path)):
        found = detector(frame, score_thr)
        rows += as_rows(found, detector.classes, file=str(path), frame=number)
        if picture is not None:
            if writer is None:
                rate = cv2.VideoCapture(str(path)).get(cv2.CAP_PROP_FPS) or 25.0
                writer = cv2.VideoWriter(str(picture), cv2.VideoWriter_fourcc(*'mp4v'), rate, frame.shape[1::-1])
            writer.write(detector.draw(frame, found, score_thr))
        if sys.stderr.isatty():
            print(f'\r{path}: {number + 1} frames', end='', file=sys.stderr)
    if writer is not None:
        writer.release()
    return rows


def _as_jpeg(pixels: np.ndarray) -> bytes:
    import cv2
    # Not cv2.imwrite, which can't write every name.
    return cv2.imencode('.jpg', pixels)[1].tobytes()


def _picture_for(path: Path, out: Path, taken: Dict[Path, Path]) -> Path:
    """Where an input's picture goes: under its name, numbered where two inputs share it."""
    ending = '.mp4' if path.suffix.lower() in _VIDEOS else '.jpg'
    target, number = out / (path.stem + ending), 1
    while target in taken:
        number += 1
        target = out / f'{path.stem}_{number}{ending}'
    if target.exists():
        raise ValueError(f"'{target}' is there already; name another folder by --out")
    taken[target] = path
    return target


def detect(detector: PackedDetector, inputs: Sequence[Path], out: Optional[Path],
           score_thr: float) -> Tuple[List[Dict[str, Any]], int]:
    """Detects in all inputs, and draws.

    Args:
        detector (PackedDetector): The detector.
        inputs (Sequence[Path]): Images and videos.
        out (Path, optional): Folder of the pictures; None draws none.
        score_thr (float): Lowest score.

    Returns:
        tuple[list[dict], int]: A row per object, and the number of inputs that could not be read, told on stderr.
    """
    taken: Dict[Path, Path] = {}
    pictures = [_picture_for(path, out, taken) if out else None for path in inputs]
    if out:
        out.mkdir(parents=True, exist_ok=True)
    rows: List[Dict[str, Any]] = []
    failed = 0
    for number, (path, picture) in enumerate(zip(inputs, pictures), start=1):
        try:
            if path.suffix.lower() in _VIDEOS:
                rows += _on_video(detector, path, picture, score_thr)
                continue
            pixels = read_image(path)
            found = detector(pixels, score_thr)
            rows += as_rows(found, detector.classes, file=str(path))
            if picture is not None:
                picture.write_bytes(_as_jpeg(detector.draw(pixels, found, score_thr)))
        except (ValueError, OSError) as error:
            print(f'left out: {error}', file=sys.stderr)
            failed += 1
        if sys.stderr.isatty():
            print(f'\r{number} of {len(inputs)}', end='\n' if number == len(inputs) else '', file=sys.stderr)
    return rows, failed


def parse_args(args: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog='nasbnn-det', description='Packed binary detectors on a CPU.')
    commands = parser.add_subparsers(dest='command', required=True)
    command = commands.add_parser('detect', help='find objects in images and videos', description=__doc__)
    command.add_argument('file', help='packed detector, as tools/deploy/pack.py writes it')
    command.add_argument('inputs', nargs='+', metavar='IMAGE', help='images, videos, folders of them')
    command.add_argument('--out', type=Path, help='folder for pictures with the boxes drawn; none are drawn if not given')
    command.add_argument('--json', type=Path, help="file for a row per object; standard output if not given")
    command.add_argument('--score-thr', type=float, default=0.3, help='lowest score')
    return parser.parse_args(args)


def main(args: Optional[Sequence[str]] = None) -> None:
    """Runs the command; bad input ends it in one sentence."""
    given = parse_args(args)
    try:
        inputs = find_inputs(given.inputs)
        detector = PackedDetector(given.file)
        rows, failed = detect(detector, inputs, given.out, given.score_thr)
        text = json.dumps(rows, indent=1, ensure_ascii=False)
        if given.json:
            replace_text(given.json, text + '\n')
            print(f'{len(rows)} objects in {len(inputs) - failed} of {len(inputs)} files: {given.json}')
        else:
            print(text)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        sys.exit(f'error: {error}')
    if failed:
        sys.exit(1)
