"""What our backbones share: outputs by stage, freezing, and loading that is strict however the caller loads."""
from typing import Any, Dict, List, Optional, Tuple

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from ...binary import BinaryConv2d
from ...binary.conv import check_rule
from ...supernet.checkpoint import check_keys, read_checkpoint, take_part


class StagedBackbone(BaseModule):
    """A stem and the stages up to the last output, which run one after another.

    A child calls :meth:`_freeze` when all of them are there.

    Args:
        out_indices (tuple[int]): Which maps are returned, ascending; checked by the child.
        frozen_stages (int): That many parts and one are not trained and stay in evaluation mode; -1 freezes none.
        norm_eval (bool): Keeps batch norms in evaluation mode while training.
        with_cp (bool): Recomputes stages in the backward pass to save memory; batch norms then see each batch twice.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=PATH, prefix=PREFIX)`` loads strictly.
    """

    #: The part whose map has index 0: 0 is the stem.
    first_output = 0
    #: Stages of the whole network behind its stem, built here or not.
    all_stages = 0
    #: How the names of its weights begin.
    key_prefixes: Tuple[str, ...] = ('stem.', 'stages.', 'arch_json')

    def __init__(self, out_indices: Tuple[int, ...], frozen_stages: int, norm_eval: bool, with_cp: bool,
                 init_cfg: Optional[dict]) -> None:
        super().__init__(init_cfg)
        self.out_indices = out_indices
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.with_cp = with_cp

    def _check_stages(self, stages: int) -> None:
        """Raises ValueError unless a backbone of so many stages behind its stem has what was asked for."""
        self.all_stages = stages
        indices = list(self.out_indices)
        if not indices or indices != sorted(set(indices)) or not 0 <= indices[0] <= indices[-1] < stages:
            raise ValueError(f'out_indices is {self.out_indices}; allowed are stages 0 to {stages - 1}, ascending, '
                             'without repeats')
        if not -1 <= self.frozen_stages <= stages:
            raise ValueError(f'frozen_stages is {self.frozen_stages}; allowed are -1 (none), 0 (the stem) and 1 to '
                             f'{stages}')

    @property
    def used_stages(self) -> int:
        """Stages up to the last output; later ones are not built. Without a gradient they would stop a distributed run."""
        return self.first_output + self.out_indices[-1]

    def _without_unused(self, given: Dict[str, Tensor]) -> Dict[str, Tensor]:
        """Weights of a whole network without those of stages that are not built here."""
        unused = tuple(f'stages.{i}.' for i in range(self.used_stages, self.all_stages))
        return {key: value for key, value in given.items() if not key.startswith(unused)}

    @property
    def parts(self) -> List[nn.Module]:
        """The stem and the stages, in order."""
        return [self.stem, *self.stages]

    def _read_weights(self, path: str, prefix: Optional[str]) -> Dict[str, Tensor]:
        """The backbone's weights from a checkpoint of it, or of any model that holds it."""
        state, _ = read_checkpoint(path)
        return self._take_own(state, path, prefix)

    def _take_own(self, state: Dict[str, Tensor], path: str, prefix: Optional[str]) -> Dict[str, Tensor]:
        """The backbone's part of a model's weights, checked."""
        own = self.state_dict()
        key = next(key for key in own if key.startswith('stem.'))
        given = self._without_unused(take_part(state, key, self.key_prefixes, path, prefix))
        self._check_identity(given)
        check_keys(own, given, path)
        return given

    def _check_identity(self, given: Dict[str, Tensor]) -> None:
        """Raises ValueError if weights say that they are another network's, which keys and shapes may not tell."""
        for name, module in self.named_modules():
            if isinstance(module, BinaryConv2d):
                check_rule(module.binarization, given.get(f'{name}.rule_json'), name)

    def init_weights(self) -> None:
        """Initialises as ``init_cfg`` says; 'Pretrained' loads strictly."""
        cfg = self.init_cfg
        if not isinstance(cfg, dict) or cfg.get('type') != 'Pretrained':
            super().init_weights()
            return
        unknown = set(cfg) - {'type', 'checkpoint', 'prefix'}
        if unknown:
            raise ValueError(f'init_cfg of {type(self).__name__} has unknown keys {sorted(unknown)}; allowed are type, '
                             'checkpoint, prefix')
        given = self._without_unused(self._read_weights(cfg['checkpoint'], cfg.get('prefix')))
        self.load_state_dict(given, strict=True)
        self.is_init = True

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Feature maps of the stages in ``out_indices``.

        Args:
            x (Tensor): Images of shape (N, 3, H, W), any size.

        Returns:
            tuple[Tensor]: Shapes (N, out_channels[i], ceil(H / out_strides[i]), ceil(W / out_strides[i])).
        """
        outs = []
        for i, part in enumerate(self.parts[:self.first_output + self.out_indices[-1] + 1], start=-self.first_output):
            x = checkpoint(part, x, use_reentrant=False) if self.with_cp and x.requires_grad else part(x)
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def _freeze(self) -> None:
        for part in self.parts[:self.frozen_stages + 1]:
            part.eval()
            for parameter in part.parameters():
                parameter.requires_grad_(False)

    def train(self, mode: bool = True) -> 'StagedBackbone':
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
            given = {k: v for k, v in given.items() if k.startswith(self.key_prefixes)}
        self._check_identity(given)
        check_keys(self.state_dict(), given, f'the checkpoint, at {prefix or "its top"}')
        super()._load_from_state_dict(state_dict, prefix, *args)
