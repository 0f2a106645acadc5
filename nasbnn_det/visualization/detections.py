"""Pictures of detections: ground truth beside predictions."""
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, List, Sequence, Tuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

#: Okabe and Ito's colours, told apart by colour-blind readers too; BGR.
_COLOURS = ((0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240), (178, 114, 0), (0, 94, 213), (167, 121, 204))
_SIZE = 11  # of the names' letters, in pixels


@lru_cache(maxsize=1)
def _font() -> Any:
    """DejaVu Sans, which matplotlib brings and which has most alphabets; else Pillow's own, of Latin letters."""
    package = find_spec('matplotlib')
    folder = Path(package.origin).with_name('mpl-data') if package and package.origin else None
    file = folder / 'fonts' / 'ttf' / 'DejaVuSans.ttf' if folder else None
    return ImageFont.truetype(str(file), _SIZE) if file and file.is_file() else ImageFont.load_default(_SIZE)


@lru_cache(maxsize=None)
def _can_write(letter: str) -> bool:
    """Whether the font has a letter: those it lacks all look alike."""
    return letter.isspace() or bytes(_font().getmask(letter)) != bytes(_font().getmask('\U0010ffff'))


def _name_of(label: int, names: Sequence[str]) -> str:
    """A class's name, or its number where the font lacks a letter of it."""
    name = names[label]
    return name if all(map(_can_write, name)) else f'class {label}'


def draw_boxes(image: np.ndarray, boxes: np.ndarray, labels: Sequence[int], names: Sequence[str],
               scores: Sequence[float] = ()) -> np.ndarray:
    """Draws boxes with their names.

    Args:
        image (np.ndarray): Shape (H, W, 3), BGR, uint8; not changed.
        boxes (np.ndarray): Corners x1, y1, x2, y2 in pixels, shape (N, 4).
        labels (Sequence[int]): Class indices.
        names (Sequence[str]): Class names. One that the font has no letters for is written as its number.
        scores (Sequence[float]): Shown behind the names, if given.

    Returns:
        np.ndarray: A picture of the same shape.
    """
    out = image.copy()
    corners = [[int(round(float(v))) for v in box] for box in boxes]
    colours = [_COLOURS[int(label) % len(_COLOURS)] for label in labels]
    for (x1, y1, x2, y2), colour in zip(corners, colours):
        cv2.rectangle(out, (x1, y1), (x2, y2), colour, 2)
    canvas = Image.fromarray(out)  # BGR, so colours are too
    draw = ImageDraw.Draw(canvas)
    height = sum(_font().getmetrics())
    for i, ((x1, y1, _, _), colour, label) in enumerate(zip(corners, colours, labels)):
        text = _name_of(int(label), names) + (f' {scores[i]:.2f}' if len(scores) else '')
        top = max(y1 - height, 0)
        draw.rectangle((x1, top, x1 + int(_font().getlength(text)) + 2, top + height), fill=colour)
        draw.text((x1 + 1, top), text, fill=(0, 0, 0), font=_font())
    return np.array(canvas)


def comparison_sheet(pairs: Sequence[Tuple[np.ndarray, np.ndarray]], columns: int = 3, tile: int = 256) -> np.ndarray:
    """Arranges pairs of (ground truth, prediction) side by side in a grid.

    Args:
        pairs (Sequence): Pictures of any size, BGR.
        columns (int): Pairs in a row. Defaults to 3.
        tile (int): Longer side of a picture, in pixels. Defaults to 256.

    Returns:
        np.ndarray: The sheet, BGR.
    """
    gap, head = 8, 22
    cells: List[np.ndarray] = []
    for pair in pairs:
        cell = np.full((tile + head, 2 * tile + gap, 3), 255, np.uint8)
        for k, (picture, title) in enumerate(zip(pair, ('ground truth', 'predicted'))):
            height, width = picture.shape[:2]
            x = k * (tile + gap)
            cell[head:head + height, x:x + width] = picture
            cv2.putText(cell, title, (x + 2, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (60, 60, 60), 1, cv2.LINE_AA)
        cells.append(cell)
    blank = np.full_like(cells[0], 255)
    cells += [blank] * (-len(cells) % columns)
    spacer = np.full((cells[0].shape[0], 3 * gap, 3), 255, np.uint8)
    rows = []
    for i in range(0, len(cells), columns):
        row: List[np.ndarray] = []
        for cell in cells[i:i + columns]:
            row += [cell, spacer]
        rows.append(np.hstack(row[:-1]))
    return np.vstack(rows)
