"""Finds objects in a picture by an ONNX file, prints them (class, score, corners in pixels), and draws them.

    pip install numpy onnxruntime opencv-python-headless
    python examples/detect_onnx.py detector.onnx street.jpg --out found.png

The file comes of `tools/deploy/export_onnx.py CONFIG CHECKPOINT detector.onnx --detections`, and says in its metadata how a
picture becomes its input.
"""
import argparse
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

OUTPUTS = ['boxes', 'labels', 'scores']


def load(path):
    """The file's session, and what its metadata says."""
    if not Path(path).is_file():
        sys.exit(f"error: '{path}' does not exist")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns that the input 'sizes' has a default
    session = onnxruntime.InferenceSession(path, options, providers=['CPUExecutionProvider'])
    meta = {key: json.loads(value) for key, value in session.get_modelmeta().custom_metadata_map.items()}
    if [output.name for output in session.get_outputs()] != OUTPUTS:
        sys.exit(f"error: '{path}' does not end in boxes, labels and scores; export it with --detections")
    if 'scale' not in meta.get('preprocessing', {}):
        sys.exit(f"error: '{path}' does not say how pictures are resized and padded; prepare them by code of your own")
    return session, meta


def read(path):
    """The picture as OpenCV reads it: blue, green, red."""
    content = np.fromfile(path, np.uint8) if Path(path).is_file() else np.empty(0, np.uint8)
    picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    if picture is None:
        sys.exit(f"error: '{path}' is no picture that can be read")
    return picture


def prepare(picture, how):
    """The network's input, the height and width of the picture within it, and factors from the original width and height."""
    height, width = picture.shape[:2]
    size = width, height
    if how['scale'] and how['keep_ratio']:
        factor = min(max(how['scale']) / max(size), min(how['scale']) / min(size))
        size = int(width * factor + 0.5), int(height * factor + 0.5)
    elif how['scale']:
        size = tuple(how['scale'])
    if size != (width, height):
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
    if how['pad_size']:
        right, below = (max(0, whole - part) for whole, part in zip(how['pad_size'], size))
        picture = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT, value=how['pad_value'])
    pixels = (picture[..., ::-1] if how['to_rgb'] else picture).astype(np.float32)
    pixels = (pixels - np.array(how['mean'], np.float32)) / np.array(how['std'], np.float32)
    below, right = (-length % how['divisor'] for length in pixels.shape[:2])
    pixels = np.pad(pixels, ((0, below), (0, right), (0, 0)))
    return pixels.transpose(2, 0, 1)[None], size[::-1], (size[0] / width, size[1] / height)


def detect(session, how, picture):
    """Boxes in pixels of the picture, labels and scores, best first."""
    planes, size, scale = prepare(picture, how)
    # Without 'sizes' boxes may lie in what the picture was padded with.
    inputs = dict(images=np.ascontiguousarray(planes), sizes=np.array([size], np.int64))
    boxes, labels, scores = (output[0] for output in session.run(OUTPUTS, inputs))
    found = labels >= 0
    return boxes[found] / np.array([*scale, *scale], np.float32), labels[found], scores[found]


def draw(picture, boxes, names):
    """The picture with boxes and names."""
    picture = picture.copy()
    for box, name in zip(boxes.round().astype(int).tolist(), names):
        cv2.rectangle(picture, box[:2], box[2:], (0, 94, 213), 2)
        cv2.putText(picture, name, (box[0] + 2, max(box[1] - 3, 10)), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (0, 94, 213), 1)
    return picture


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('file', help='ONNX file')
    parser.add_argument('picture', help='picture file')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score')
    parser.add_argument('--out', help='picture file to draw into, such as found.png')
    args = parser.parse_args()
    session, meta = load(args.file)
    picture = read(args.picture)
    boxes, labels, scores = detect(session, meta['preprocessing'], picture)
    kept = scores >= args.score_thr
    boxes, scores = boxes[kept], scores[kept]
    names = [meta['classes'][label] if meta['classes'] else str(label) for label in labels[kept]]
    for name, score, box in zip(names, scores, boxes):
        print(name, f'{score:.5f}', *(f'{value:.2f}' for value in box))
    if args.out and not cv2.imwrite(args.out, draw(picture, boxes, names)):
        sys.exit(f"error: '{args.out}' can't be written")


if __name__ == '__main__':
    main()
