"""An architecture as a small drawing."""
from html import escape
from typing import List, Optional, Sequence

from ..arch import Arch

_HEIGHT = 120  # of the widest block
_GAP, _STAGE_GAP, _PADDING, _POINTWISE = 6, 22, 8, 6
_KERNEL_WIDTH = 5  # of a block's bar, by pixel of its kernel
_COLOURS = ('#8fb4d9', '#2f6ca8', '#173f66')
_POINTWISE_COLOUR = '#d9a441'
_LETTER = 6.2  # width of a letter of the texts under a block


def arch_svg(arch: Arch, input_size: Optional[Sequence[int]] = None) -> str:
    """Draws the stages from left to right, each block as two bars: its k x k convolution and its 1 x 1 convolution.

    A bar is as high as the block has channels, as wide as its kernel, and cut into as many lanes as it has groups. A block's
    title says the same in words.

    Args:
        arch (Arch): What to draw.
        input_size (Sequence[int], optional): Height and width of the image, in pixels, for the sizes of the maps. Defaults
            to None, strides alone.

    Returns:
        str: ``<svg ...>``.
    """
    widest = max(block.channels for blocks in arch.stages for block in blocks)
    kernels = sorted({kernel for stage in arch.space.stages for kernel in stage.kernels})
    base, parts, x = _PADDING + _HEIGHT, [], float(_PADDING)
    for i, (blocks, stride) in enumerate(zip(arch.stages, arch.space.strides)):
        left = x
        for j, block in enumerate(blocks):
            height = max(_HEIGHT * block.channels / widest, 4)
            width = _KERNEL_WIDTH * block.kernel
            place = max(width + _POINTWISE + 1, _LETTER * len(str(block.channels)) + 2)
            start = x + (place - width - _POINTWISE - 1) / 2
            words = f'stage {i}, block {j + 1}: {block.channels} channels, {block.kernel} x {block.kernel}'
            if i:
                words += f'{_groups(block.groups1)}, then 1 x 1{_groups(block.groups2)}'
            bars = _bar(start, base, width, height, block.groups1, _COLOURS[min(kernels.index(block.kernel), 2)])
            if i:  # the stem is one convolution
                bars += _bar(start + width + 1, base, _POINTWISE, height, block.groups2, _POINTWISE_COLOUR)
            labels = [str(block.channels), f'{block.kernel}x{block.kernel}',
                      f'g{block.groups1}' + (f'/{block.groups2}' if block.groups2 > 1 else '')]
            texts = ''.join(_text(x + place / 2, base + 13 * (k + 1), label) for k, label in enumerate(labels))
            parts.append(f'<g><title>{escape(words)}</title>{bars}{texts}</g>')
            x += place + _GAP
        size = f', {_size(input_size, stride)}' if input_size else ''
        lines = [f'stage {i}' if i else 'stem', f'/{stride}{size}', f'{len(blocks)} block{"s" if len(blocks) > 1 else ""}']
        wanted = max(len(line) for line in lines) * _LETTER
        if x - _GAP - left < wanted:
            x = left + wanted + _GAP
        middle = (left + x - _GAP) / 2
        parts.append(f'<path d="M{left:.1f} {base + 47}H{x - _GAP:.1f}" stroke="#999"/>')
        parts += [_text(middle, base + 61 + 13 * k, line) for k, line in enumerate(lines)]
        x += _STAGE_GAP - _GAP
    right, bottom = x - _STAGE_GAP + _PADDING, base + 92
    return (f'<svg class="drawing" role="img" aria-label="{escape(str(arch))}" width="{right:.0f}" height="{bottom}" '
            f'viewBox="0 0 {right:.0f} {bottom}" font-size="11" fill="#333" text-anchor="middle">{"".join(parts)}</svg>')


def _bar(x: float, base: float, width: float, height: float, groups: int, colour: str) -> str:
    """A bar that stands on ``base``, with a white line between every two groups."""
    lines: List[str] = [f'M{x:.1f} {base - height * k / groups:.1f}h{width:g}' for k in range(1, groups)]
    cuts = f'<path d="{"".join(lines)}" stroke="#fff"/>' if lines else ''
    return f'<rect x="{x:.1f}" y="{base - height:.1f}" width="{width:g}" height="{height:.1f}" fill="{colour}"/>{cuts}'


def _groups(groups: int) -> str:
    return f' in {groups} groups' if groups > 1 else ''


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:g}">{escape(text)}</text>'


def _size(input_size: Sequence[int], stride: int) -> str:
    return 'x'.join(str(-(-side // stride)) for side in input_size)
