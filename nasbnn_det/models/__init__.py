"""What a config names. Detection parts need mmdet, the supernet classifier needs mmpretrain; each part is
registered where what it needs is installed."""
from importlib.util import find_spec

from . import backbones, distributed, layers, necks, published  # noqa: F401

if find_spec('mmpretrain') is not None:
    from . import classifiers, heads  # noqa: F401
if find_spec('mmdet') is not None:
    from . import dense_heads, detectors, roi_heads  # noqa: F401
