"""The found backbone."""
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from torch import Tensor, nn

from ...arch import Arch, arch_channels, get_space, load_arch
from ...binary import Binarizes, get_binarization
from ...identity import encode
from ...registry import MODELS
from ...supernet import build_features
from ...supernet.checkpoint import is_supernet, read_checkpoint, supernet_from_state, take_subnet
from ...supernet.subnet import check_arch
from .staged_backbone import StagedBackbone


@MODELS.register_module()
class NASBNN(StagedBackbone):
    """Static binary backbone of one architecture (arXiv 2408.15484).

    Args:
        arch (Arch | dict | str): The architecture: its dict form, a JSON file, a front file, or
            ``'PATH/front.json#57'`` for the best score within 57M OPs.
        out_indices (Sequence[int]): Stages whose maps are returned; 0 is the stem, in the space 'imagenet' 2 to 5
            are C2 to C5. Defaults to (3, 4, 5).
        frozen_stages (int): Stages up to this one are not trained and stay in evaluation mode; -1 freezes none.
            Defaults to -1.
        norm_eval (bool): Keeps batch norms in evaluation mode while training. Defaults to False.
        with_cp (bool): Recomputes stages in the backward pass to save memory; batch norms then see each batch twice,
            as in MMDetection's backbones. Defaults to False.
        binarization (Binarization | str | dict): As :func:`nasbnn_det.binary.get_binarization` takes it; 'float' builds the
            full-precision twin, which loads weights of twins alone. Defaults to 'nasbnn'.
        space (str | list, optional): The only search space whose architectures are taken, as
            :func:`nasbnn_det.arch.get_space` takes it. Defaults to None, any.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=PATH)`` with the checkpoint of a supernet,
            of an extracted subnet, or of a model that holds this backbone (``prefix`` says where, if it is not
            plain). Keys are matched strictly.

    Attributes:
        out_channels (tuple[int]): Channels of each output.
        out_strides (tuple[int]): Total stride of each output.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the architecture is illegal or of another space, an index names no stage, or a checkpoint has
            wrong keys.
    """

    def __init__(self,
                 arch: Union[Arch, Dict[str, Any], str],
                 out_indices: Sequence[int] = (3, 4, 5),
                 frozen_stages: int = -1,
                 norm_eval: bool = False,
                 with_cp: bool = False,
                 binarization: Binarizes = 'nasbnn',
                 space: Union[str, list, None] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(tuple(out_indices), frozen_stages, norm_eval, with_cp, init_cfg)
        self.binarization = get_binarization(binarization)
        self.arch = load_arch(arch)
        self.all_stages = len(self.arch.stages) - 1
        self.register_buffer('arch_json', encode(self.arch.to_dict()))
        if space is not None and self.arch.space != get_space(space):
            raise ValueError(f"the architecture belongs to the search space '{self.arch.space.name}', but this "
                             f"backbone takes those of '{get_space(space).name}' alone")
        self.out_channels = arch_channels(self.arch, out_indices)
        if not -1 <= frozen_stages < len(self.arch.stages):
            raise ValueError(f'frozen_stages is {frozen_stages}; allowed are -1 (none) to {len(self.arch.stages) - 1}')
        if not out_indices or list(out_indices) != sorted(set(out_indices)):
            raise ValueError(f'out_indices is {self.out_indices}; it must name stages, ascending without repeats')
        self.stem, stages = build_features(self.arch, self.binarization)
        self.stages = stages[:self.used_stages]
        self.out_strides = tuple(self.arch.space.strides[i] for i in self.out_indices)
        self._freeze()

    def _read_weights(self, path: str, prefix: Optional[str]) -> Dict[str, Tensor]:
        state, _ = read_checkpoint(path)
        if is_supernet(state):
            state = take_subnet(supernet_from_state(state, path), self.arch)
        return self._take_own(state, path, prefix)

    def _check_identity(self, given: Dict[str, Tensor]) -> None:
        check_arch(self.arch, given.get('arch_json'))
        super()._check_identity(given)

    def as_chain(self) -> Tuple[List[nn.Module], Tuple[int, ...]]:
        """Its parts in order, and after which of them an output is taken; for :func:`nasbnn_det.runtime.pack`."""
        return self.parts[:max(self.out_indices) + 1], self.out_indices
