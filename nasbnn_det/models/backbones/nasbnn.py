"""The found backbone."""
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from ...arch import Arch, arch_channels, get_space, load_arch
from ...binary import Binarization
from ...checked import build_checked
from ...registry import MODELS
from ...supernet import build_features, load_subnet_state
from ...supernet.checkpoint import check_keys


@MODELS.register_module()
class NASBNN(BaseModule):
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
        binarization (dict, optional): Arguments of :class:`nasbnn_det.binary.Binarization`, the rules its weights
            follow. Defaults to None, NAS-BNN's.
        precision (str): 'float' builds the full-precision twin, which can't load binary weights. Defaults to
            'binary'.
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
                 binarization: Optional[dict] = None,
                 precision: str = 'binary',
                 space: Union[str, list, None] = None,
                 init_cfg: Optional[dict] = None) -> None:
        super().__init__(init_cfg)
        self.binarization = build_checked(Binarization, binarization, 'binarization')
        self.arch = load_arch(arch)
        if space is not None and self.arch.space != get_space(space):
            raise ValueError(f"the architecture belongs to the search space '{self.arch.space.name}', but this "
                             f"backbone takes those of '{get_space(space).name}' alone")
        self.out_channels = arch_channels(self.arch, out_indices)
        if not -1 <= frozen_stages < len(self.arch.stages):
            raise ValueError(f'frozen_stages is {frozen_stages}; allowed are -1 (none) to {len(self.arch.stages) - 1}')
        self.out_indices = tuple(out_indices)
        if list(out_indices) != sorted(set(out_indices)):
            raise ValueError(f'out_indices is {self.out_indices}; it must be ascending without repeats')
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp
        self.stem, self.stages = build_features(self.arch, self.binarization, precision)
        self.out_strides = tuple(self.arch.space.strides[i] for i in self.out_indices)
        self._freeze()

    def init_weights(self) -> None:
        """Initialises as ``init_cfg`` says; 'Pretrained' loads strictly."""
        cfg = self.init_cfg
        if not isinstance(cfg, dict) or cfg.get('type') != 'Pretrained':
            super().init_weights()
            return
        unknown = set(cfg) - {'type', 'checkpoint', 'prefix'}
        if unknown:
            raise ValueError(f"init_cfg of NASBNN has unknown keys {sorted(unknown)}; allowed are type, checkpoint, "
                             'prefix')
        state = load_subnet_state(cfg['checkpoint'], self.arch, cfg.get('prefix'), self.binarization)
        self.load_state_dict(state, strict=True)
        self.is_init = True

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Feature maps of the stages in ``out_indices``.

        Args:
            x (Tensor): Images of shape (N, 3, H, W), any size.

        Returns:
            tuple[Tensor]: Shapes (N, out_channels[i], ceil(H / out_strides[i]), ceil(W / out_strides[i])).
        """
        outs = []
        for i, stage in enumerate((self.stem, *self.stages)):
            if i > max(self.out_indices):
                break
            x = checkpoint(stage, x, use_reentrant=False) if self.with_cp and x.requires_grad else stage(x)
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def as_chain(self) -> Tuple[List[nn.Module], Tuple[int, ...]]:
        """Its parts in order, and after which of them an output is taken; for :func:`nasbnn_det.runtime.pack`."""
        return [self.stem, *self.stages][:max(self.out_indices) + 1], self.out_indices

    def _freeze(self) -> None:
        for stage in (self.stem, *self.stages)[:self.frozen_stages + 1]:
            stage.eval()
            for parameter in stage.parameters():
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> 'NASBNN':
        """Sets the mode; frozen stages, and all batch norms under ``norm_eval``, stay in evaluation mode."""
        super().train(mode)
        if mode:
            self._freeze()
            if self.norm_eval:
                for module in self.modules():
                    if isinstance(module, _BatchNorm):
                        module.eval()
        return self

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args: Any) -> None:
        # Frameworks load whole models non-strictly and only warn. A backbone with a part of its weights
        # computes nonsense silently, so here wrong keys are an error however the caller loads.
        given = {k[len(prefix):]: v for k, v in state_dict.items() if k.startswith(prefix)}
        if not prefix:
            given = {k: v for k, v in given.items() if k.startswith(('stem.', 'stages.'))}
        check_keys(self.state_dict(), given, f'the checkpoint, at {prefix or "its top"}')
        super()._load_from_state_dict(state_dict, prefix, *args)
