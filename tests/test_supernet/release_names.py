"""The public release's parameter names, and a checkpoint in its layout as a supernet of ours."""
import re

import torch

from nasbnn_det.arch import get_space
from nasbnn_det.supernet import Supernet

_PREFIX = 'module.'
# In order; the release wraps every layer once more than needed.
_RULES = [(re.compile(pattern), new) for pattern, new in [
    (r'\.(bn\d?)\.bn\.', r'.\1.'),
    (r'^features\.0\.0\.conv\.w_scale$', 'stem.conv.step'),
    (r'^features\.0\.0\.conv\.w_init_state$', 'stem.conv.step_is_set'),
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
_STAGE = re.compile(r'^features\.(\d+)\.(\d+)\.')
# Scales and the current candidate, which the release keeps as buffers and we compute.
_LEFT_OUT = ('scaling_factor', 'cand')


def our_name(name):
    """Our name of one of the release's parameters."""
    name = name[len(_PREFIX):] if name.startswith(_PREFIX) else name
    for pattern, new in _RULES:
        name = pattern.sub(new, name)
    return _STAGE.sub(lambda m: f'stages.{int(m[1]) - 1}.{m[2]}.', name)


def load_release(path, table, num_classes):
    """Builds a supernet from a checkpoint in the release's layout, strictly."""
    released = torch.load(path, weights_only=True)['state_dict']
    supernet = Supernet(get_space(table), num_classes)
    own = supernet.state_dict()
    state = {'space_json': own['space_json']}
    for key, value in released.items():
        if not any(word in key for word in _LEFT_OUT):
            name = our_name(key)
            state[name] = value.reshape(own[name].shape).to(own[name].dtype)
    supernet.load_state_dict(state, strict=True)
    return supernet
