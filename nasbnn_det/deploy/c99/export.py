"""Writes a packed network as C99: one source file, one header, and a program that checks both."""
import json
import math
import os
import re
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

import numpy as np

from ...files import replace_text
from ...runtime.native_network import prepare
from ...runtime.preprocess import read_image
from .arena import Arena, plan_arena
from .constants import Constants, c_float, c_values, prepared_bytes
from .expected import Expected, expect, hash_bits
from .networks import Network, read_network
from .program import Program, classifier_function, detector_function, levels_of

SOURCES = Path(__file__).resolve().parent / 'source'
#: How far scores, and boxes as a share of the image's longer side, may lie from the packed runtime's: exponential functions
#: differ in their last places.
_SCORE_TOLERANCE, _BOX_TOLERANCE = 2.0**-20, 2.0**-21


def export_c(path: Union[str, os.PathLike],
             folder: Union[str, os.PathLike],
             name: str = 'network',
             size: Optional[Tuple[int, int]] = None,
             image: Any = None) -> Dict[str, Any]:
    """Writes ``NAME.c``, ``NAME.h`` and ``main.c`` of a packed classifier or detector.

    Args:
        path: A packed file of a network that stands by itself.
        folder: Where the files go; made if missing.
        name (str): Of the files, and what public names begin with. Defaults to 'network'.
        size (tuple[int, int], optional): Height and width of the input. Defaults to None, the file's.
        image: What ``main.c`` is run on: a file, an array or a Pillow image, resized and padded as the packed file says.
            Defaults to None, a made one.

    Returns:
        dict: JSON-ready: ``kind``, ``input`` (height, width), ``files``, ``arena_bytes``, ``constants_bytes``,
        ``macs`` (multiply-accumulates of 1 bit and of real weights), and of the image ``maps``, which are compared bit by
        bit, and ``detections``.

    Raises:
        FileNotFoundError: If the file or the image does not exist.
        ValueError: If the name is none of C, the network can't become C code, or the image doesn't fit.
    """
    if not re.fullmatch(r'[a-z][a-z0-9_]{0,40}', name) or name == 'main':
        raise ValueError(f"{name!r} is no name for the C code; allowed are small letters, digits and _, a letter first")
    network, packed = read_network(path, size)
    if network.settings is not None and network.settings.nms_pre == 0:
        raise ValueError(f"packed file '{path}' keeps no candidates: its nms_pre is 0")
    pixels = _image(network, packed.info['preprocessing'], image)
    expected = expect(network, pixels)
    levels = levels_of(network)
    arena = plan_arena(network.graph, sum(level.most for level in levels), tuple(level.distances for level in levels))
    constants = Constants()
    program = Program(network, arena, constants)
    folder = Path(folder)
    texts = {f'{name}.h': _header(network, arena), f'{name}.c': _source(network, program, Path(path).name),
             'main.c': _main(network, pixels, expected)}
    for file, text in texts.items():
        replace_text(folder / file, _renamed(text, name))
    found = expected.detections
    return dict(kind=network.kind, input=[network.graph.image.height, network.graph.image.width],
                files=[str(folder / file) for file in texts], arena_bytes=arena.size, constants_bytes=constants.size,
                macs=_macs(network), maps=len(expected.maps), detections=None if found is None else len(found.scores))


def _image(network: Network, preprocessing: Dict[str, Any], image: Any) -> np.ndarray:
    """The bytes that the network reads."""
    want = network.graph.image
    if image is None:  # patches of noise, which turn signs and find objects
        small = np.random.default_rng(0).integers(0, 256, (-(-want.height // 8), -(-want.width // 8), 3), np.uint8)
        return np.ascontiguousarray(small.repeat(8, 0).repeat(8, 1)[:want.height, :want.width])
    plain = {key: value for key, value in preprocessing.items() if key not in ('mean', 'std', 'to_rgb')}
    x = prepare(plain, read_image(image)).planes.transpose(1, 2, 0)
    if x.shape != (want.height, want.width, 3):
        raise ValueError(f'the image becomes {x.shape[0]} x {x.shape[1]} pixels, and the network is written for '
                         f'{want.height} x {want.width}')
    return x.astype(np.uint8)


def _macs(network: Network) -> Dict[str, int]:
    out = dict(binary=0, real=0)
    for step in network.graph.steps:
        layer = getattr(step, 'layer', None)
        if layer is not None:
            per_value = layer.spec.in_per_group * math.prod(layer.spec.kernel)
            out['binary' if layer.spec.binary else 'real'] += network.graph.maps[step.target].values * per_value
    return out


def _read(name: str) -> str:
    return (SOURCES / name).read_text(encoding='utf-8').rstrip('\n')


def _renamed(text: str, name: str) -> str:
    return re.sub(r'\bNETWORK_', f'{name.upper()}_', re.sub(r'\bnetwork(?=[_.])', name, text)) + '\n'


def _kind_files(network: Network) -> str:
    return 'classifier' if network.settings is None else 'detector'


def _header(network: Network, arena: Arena) -> str:
    settings = network.settings
    image = network.graph.image
    classes = network.runtime.num_classes if settings is None else settings.num_classes
    lines = [f'#define NETWORK_HEIGHT {image.height}', f'#define NETWORK_WIDTH {image.width}',
             f'#define NETWORK_CLASSES {classes}', f'#define NETWORK_ARENA_BYTES {arena.size}']
    if settings is not None:
        lines.append(f'#define NETWORK_MAX_DETECTIONS {settings.max_per_img}')
    names = ['extern const char *const network_class_names[NETWORK_CLASSES];\n'] if network.classes else []
    observe = ('#if defined(NETWORK_OBSERVED)\n/* Called with each map that the network delivers. */\n'
               'void network_observe(int32_t index, const float *map, int32_t values);\n#endif')
    return '\n'.join([
        '/* A packed binary network in C99. It has one static block of memory and no heap: one image at a time. */',
        '#ifndef NETWORK_INCLUDED\n#define NETWORK_INCLUDED\n', '#include <stdint.h>\n#include <string.h>\n', *lines, '',
        *names, _read(f'{_kind_files(network)}.h'), '', observe, '', '#endif'])


def _source(network: Network, program: Program, file: str) -> str:
    table, order = prepared_bytes(network.preprocessing)
    rows = ',\n'.join(f'{{\n{c_values(row)}\n}}' for row in table)
    parts = [
        f'/* Written from {_comment(file)}. */', '#include <float.h>\n#include <stdint.h>\n#include <string.h>\n',
        '#include "network.h"\n', '#if defined(NETWORK_OBSERVED)',
        '#define OBSERVE(index, map, values) network_observe(index, map, values)', '#else',
        '#define OBSERVE(index, map, values) (void)0', '#endif\n',
        f'/* What a byte becomes in each channel, and which byte of a pixel the channel reads. */\n'
        f'static const float prepared[3][256] = {{\n{rows}\n}};',
        f'static const int32_t byte_of[3] = {{{", ".join(map(str, order))}}};\n', _read('kernels.c'), '',
        *program.constants.text, '\n'.join(['static const struct layer layers[] = {', *program.layers, '};']), '']
    if network.classes:
        names = ',\n'.join(f'  {c_string(text)}' for text in network.classes)
        parts.append(f'const char *const network_class_names[NETWORK_CLASSES] = {{\n{names}\n}};\n')
    parts += [f'static struct {{\n  float floats[{program.arena.floats}];', f'  uint32_t words[{program.arena.words}];',
              '} arena;\n']
    if network.settings is None:
        parts += [_read('classifier.c'), '', classifier_function(program)]
    else:
        parts += [_decoding(network), _read('detector.c'), '', detector_function(program, network)]
    return '\n'.join(parts)


def _decoding(network: Network) -> str:
    """The numbers of a detector's decoding."""
    settings = network.settings
    chance = min(max(settings.score_thr, 0.0), 1.0)
    largest = float(np.finfo(np.float32).max)
    lowest = -largest if chance == 0 else largest if chance == 1 else math.log(chance / (1 - chance))
    values = dict(LEVELS=len(settings.strides), LOWEST_LOGIT=c_float(np.float32(lowest)),
                  POINT_OFFSET=c_float(np.float32(settings.offset)), MIN_SIDE=c_float(np.float32(settings.min_bbox_size)),
                  IOU_THRESHOLD=float(settings.iou_threshold).hex())
    return '\n'.join([*(f'#define {key} {value}' for key, value in values.items()), ''])


def _main(network: Network, image: np.ndarray, expected: Expected) -> str:
    maps = '\n'.join(f'  {{{y.size}, 0x{hash_bits(y):08x}u}},' for y in expected.maps)
    parts = ['#include <stdint.h>\n#include <string.h>\n', '#include "network.h"\n',
             f'static const uint8_t image[] = {{\n{c_values(image)}\n}};\n',
             f'static const struct {{\n  int32_t values;\n  uint32_t hash;\n}} expected_maps[] = {{\n{maps}\n}};\n']
    if expected.logits is not None:
        parts.append(f'static const float expected_logits[] = {{\n{c_values(expected.logits)}\n}};\n')
    else:
        parts.append(_detections(network, expected))
    return '\n'.join([*parts, _read('main.c')])


def _detections(network: Network, expected: Expected) -> str:
    boxes, labels, scores = expected.detections
    rows: List[str] = [f'  {{{", ".join(map(c_float, (*box, score)))}, {label}}},'
                       for box, label, score in zip(boxes, labels, scores)]
    side = max(network.graph.image.height, network.graph.image.width)
    return '\n'.join([
        f'#define EXPECTED_DETECTIONS {len(rows)}', f'#define SCORE_TOLERANCE {c_float(_SCORE_TOLERANCE)}',
        f'#define BOX_TOLERANCE {c_float(np.float32(side * _BOX_TOLERANCE))}', '',
        'static const struct network_detection expected_detections[EXPECTED_DETECTIONS + 1] = {',
        *rows, '  {0, 0, 0, 0, 0, 0},', '};', ''])


def c_string(text: str) -> str:
    """A C string literal of the text's UTF-8 bytes."""
    return '"' + ''.join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f'\\{b:03o}' for b in text.encode()) + '"'


def _comment(text: str) -> str:
    return json.dumps(text).replace('*/', '* /')
