"""Pictures of detections: ground truth beside predictions."""
from typing import List, Sequence, Tuple

import cv2
import numpy as np

#: Okabe and Ito's colours, told apart by colour-blind readers too; BGR.
_COLOURS = ((0, 159, 230), (233, 180, 86), (115, 158, 0), (66, 228, 240), (178, 114, 0), (0, 94, 213), (167, 121, 204))


def draw_boxes(image: np.ndarray, boxes: np.ndarray, labels: Sequence[int], names: Sequence[str],
               scores: Sequence[float] = ()) -> np.ndarray:
    """Draws boxes with their names.

    Args:
        image (np.ndarray): Shape (H, W, 3), BGR, uint8; not changed.
        boxes (np.ndarray): Corners x1, y1, x2, y2 in pixels, shape (N, 4).
        labels (Sequence[int]): Class indices.
        names (Sequence[str]): Class names.
        scores (Sequence[float]): Shown behind the names, if given.

    Returns:
        np.ndarray: A picture of the same shape.
    """
    out = image.copy()
    for i, (box, label) in enumerate(zip(boxes, labels)):
        x1, y1, x2, y2 = (int(round(float(v))) for v in box)
        colour = _COLOURS[int(label) % len(_COLOURS)]
        cv2.rectangle(out, (x1, y1), (x2, y2), colour, 2)
        text = names[int(label)] + (f' {scores[i]:.2f}' if len(scores) else '')
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.4, 1)
        top = max(y1, height + 4)
        cv2.rectangle(out, (x1, top - height - 4), (x1 + width + 2, top), colour, -1)
        cv2.putText(out, text, (x1 + 1, top - 3), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return out


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
