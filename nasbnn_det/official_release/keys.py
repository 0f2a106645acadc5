"""The public release's parameter names in ours."""
import re
from typing import Optional

# What a distributed wrapper puts before every name.
_WRAPPER = 'module.'
# Kept by the release as buffers, computed here whenever they are needed: the scales of binary weights, and the
# candidates its supernet names.
_RECOMPUTED = re.compile(r'(^|\.)(scaling_factor|biggest_cand|smallest_cand)$')
_STAGE = re.compile(r'^features\.(\d+)\.(\d+)\.')
# In order. The release wraps a layer once more than we do, and calls every learned shift a move.
_RULES = [(re.compile(pattern), ours) for pattern, ours in [
    (r'\.(bn\d?)\.bn\.', r'.\1.'),
    (r'^features\.0\.0\.conv\.w_scale$', 'stem.conv.step'),
    (r'^features\.0\.0\.conv\.w_init_state$', 'stem.conv.value_is_set'),
    (r'^features\.0\.0\.', 'stem.'),
    (r'\bmove([12])1\.bias$', r'conv\1.conv.sign.bias'),
    (r'\bmove([12])2\.bias$', r'conv\1.act.bias_in'),
    (r'\bmove([12])3\.bias$', r'conv\1.act.bias_out'),
    (r'\bprelu([12])\.prelu\.weight$', r'conv\1.act.slope'),
    (r'\bbn([12])\.', r'conv\1.bn.'),
    (r'\bbinary_conv\.weight$', 'conv1.conv.weight'),
    (r'\bbinary_conv\.fp2bin_\d$', 'conv1.conv.transform'),
    (r'\bbinary_conv\.matrix_(\dto\d)$', r'conv1.conv.shrink.\1'),
    (r'\bbinary_conv1x1\.weight$', 'conv2.conv.weight'),
    (r'\bmove1\.bias$', 'act.bias_in'),
    (r'\bmove2\.bias$', 'act.bias_out'),
    (r'\brelu\.prelu\.weight$', 'act.slope'),
]]


def our_key(key: str) -> Optional[str]:
    """Our name of one of the release's parameters or buffers.

    Args:
        key (str): A key of the release's state dict, with or without ``module.`` before it.

    Returns:
        str | None: The key in :class:`nasbnn_det.supernet.Supernet`'s state dict, or None for a buffer that is
        computed here. A name that follows no rule comes back much as it was, and fits no supernet.
    """
    key = key.removeprefix(_WRAPPER)
    if _RECOMPUTED.search(key):
        return None
    for pattern, ours in _RULES:
        key = pattern.sub(ours, key)
    # The stem is the release's stage 0 and has its own name here.
    return _STAGE.sub(lambda m: f'stages.{int(m[1]) - 1}.{m[2]}.', key)
