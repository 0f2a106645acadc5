"""``nasbnn_det://NAME`` for whatever loads by MMEngine: ``load_from``, and ``init_cfg`` of models that are not ours."""
from typing import Any, Dict

from mmengine.runner import CheckpointLoader

from ..pretrained import SCHEME
from ..supernet.checkpoint import read_checkpoint


@CheckpointLoader.register_scheme(prefixes=SCHEME)
def load_published(filename: str, map_location: Any = None, logger: Any = None) -> Dict[str, Any]:
    """Weights that come with the package; arguments are MMEngine's."""
    state, meta = read_checkpoint(filename)
    device = map_location or 'cpu'
    return dict(state_dict={key: value.to(device) for key, value in state.items()}, meta=meta)
