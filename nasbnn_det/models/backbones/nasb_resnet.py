"""Binary ResNets of NASB cells: the mixed one that is searched, and the one that was found."""
from typing import Any, Dict, List, Optional, Sequence, Union

from torch import Tensor, nn

from ...binary import Binarizes
from ...checked import build_checked
from ...identity import encode
from ...nasb import CellNet, CellRules, CellSite, CellSpace, DiscreteCell, MixedCell, ResNetShape, StemShape, load_cells
from ...nasb.checkpoint import check_backbone, describe_backbone, load_backbone_state
from ...nasb.resnet import build_stages, build_stem
from ...registry import MODELS
from .staged_backbone import StagedBackbone


class _CellResNet(StagedBackbone):
    """What both backbones share; the arguments are described there."""

    first_output = 1
    key_prefixes = ('stem.', 'layer', 'arch_json')

    #: The cells of a discrete backbone.
    net: Optional[CellNet] = None

    def __init__(self, depth: int, base_channels: int, stem: Optional[dict], out_indices: Sequence[int],
                 frozen_stages: int, norm_eval: bool, with_cp: bool, rules: Dict[str, Any],
                 init_cfg: Optional[dict]) -> None:
        super().__init__(tuple(out_indices), frozen_stages, norm_eval, with_cp, init_cfg)
        self.rules = CellRules(**rules)
        self.shape = ResNetShape(depth, base_channels, build_checked(StemShape, stem, 'stem'))
        self._check_stages(len(self.shape.stage_channels))
        self.out_channels = tuple(self.shape.stage_channels[i] for i in self.out_indices)
        self.out_strides = tuple(self.shape.stage_strides[i] for i in self.out_indices)
        self.register_buffer('arch_json', encode(describe_backbone(self.shape, self.rules, self.net)))
        self.stem = build_stem(self.shape)
        stages = build_stages(self.shape, self._build_cell, self.rules)
        for i, stage in enumerate(stages[:self.used_stages], start=1):
            self.add_module(f'layer{i}', stage)
        self._freeze()

    def _build_cell(self, site: CellSite) -> nn.Module:
        raise NotImplementedError

    @property
    def cells(self) -> Dict[str, nn.Module]:
        """The cells' modules by name, in the order of the network."""
        built = dict(self.named_modules())
        return {site.name: built[site.name] for site in self.shape.sites if site.name in built}

    @property
    def parts(self) -> List[nn.Module]:
        return [self.stem, *(getattr(self, f'layer{i + 1}') for i in range(self.used_stages))]

    def _read_weights(self, path: str, prefix: Optional[str]) -> Dict[str, Tensor]:
        return load_backbone_state(path, self.state_dict(), self.net, prefix)

    def _check_identity(self, given: Dict[str, Tensor]) -> None:
        check_backbone(self.arch_json, given.get('arch_json'))
        super()._check_identity(given)


@MODELS.register_module()
class NASBResNet(_CellResNet):
    """Binary ResNet of found cells, or the plain binary ResNet (NASB, arXiv 2008.03515; Bi-Real Net, 1808.00278).

    Args:
        depth (int): 18, 34 or 50.
        cells (CellNet | dict | str, optional): The cells: their dict form or the ``cells.json`` of a search. Defaults
            to None: every cell the binary convolution alone, the plain binary ResNet.
        num_bases (int, optional): K parallel binary convolutions in place of each one of a cell. Defaults to None, as
            the cells say.
        base_channels (int): Width of the stem and the first stage. Defaults to 64.
        stem (dict, optional): Arguments of :class:`nasbnn_det.nasb.StemShape`: ``kernel_size``, ``stride``, ``pool``.
            Defaults to None: 7 x 7 with stride 2, and max pooling.
        out_indices (Sequence[int]): Stages whose maps are returned, as in MMDetection's ResNet: 0 to 3 are C2 to C5.
            Defaults to (0, 1, 2, 3).
        frozen_stages (int): Stages up to this one are not trained and stay in evaluation mode, as in MMDetection's
            ResNet: 0 is the stem; -1 freezes none. Defaults to -1.
        norm_eval (bool): Keeps batch norms in evaluation mode while training. Defaults to False.
        with_cp (bool): Recomputes stages in the backward pass to save memory. Defaults to False.
        projection (bool): Full-precision 1 x 1 convolutions where stride or width change. Defaults to False.
        binarization (Binarization | str | dict): As :func:`nasbnn_det.binary.get_binarization` takes it; 'float' builds the
            full-precision twin. Defaults to 'standardized'.
        init_cfg (dict, optional): ``dict(type='Pretrained', checkpoint=PATH)`` with the checkpoint of the search, of
            which this network takes its part, or of any model that holds this backbone (``prefix`` says where, if
            it is not plain). Keys are matched strictly.

    Attributes:
        out_channels (tuple[int]): Channels of each output.
        out_strides (tuple[int]): Total stride of each output.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If the cells are illegal, an index names no stage, or a checkpoint has wrong keys.
    """

    def __init__(self,
                 depth: int,
                 cells: Union[CellNet, Dict[str, Any], str, None] = None,
                 num_bases: Optional[int] = None,
                 base_channels: int = 64,
                 stem: Optional[dict] = None,
                 out_indices: Sequence[int] = (0, 1, 2, 3),
                 frozen_stages: int = -1,
                 norm_eval: bool = False,
                 with_cp: bool = False,
                 projection: bool = False,
                 binarization: Binarizes = 'standardized',
                 init_cfg: Optional[dict] = None) -> None:
        self.net = load_cells(cells, depth, num_bases)
        rules = dict(binarization=binarization, projection=projection)
        super().__init__(depth, base_channels, stem, out_indices, frozen_stages, norm_eval, with_cp, rules, init_cfg)

    def _build_cell(self, site: CellSite) -> DiscreteCell:
        cell = self.net.by_name[site.name]
        return DiscreteCell(site.in_channels, site.out_channels, 3, site.stride, cell, self.rules)


@MODELS.register_module()
class NASBSearchResNet(_CellResNet):
    """Binary ResNet of mixed cells, for the pretraining and the search of NASB (arXiv 2008.03515).

    Alphas are trained by :class:`nasbnn_det.engine.loops.nasb_search.NASBSearchLoop` alone; in any other training the
    candidates of an edge have equal weights.

    Args:
        depth (int): 18, 34 or 50.
        space (dict, optional): Arguments of :class:`nasbnn_det.nasb.CellSpace`: ``num_nodes``, ``operations``,
            ``num_bases``. Defaults to None: three nodes, all registered operations, one base.
        base_channels (int): As in :class:`NASBResNet`, like all that follow. Defaults to 64.
        stem (dict, optional): Defaults to None.
        out_indices (Sequence[int]): Defaults to (0, 1, 2, 3).
        frozen_stages (int): Defaults to -1.
        norm_eval (bool): Defaults to False.
        with_cp (bool): Defaults to False.
        projection (bool): Defaults to False.
        binarization (Binarization | str | dict): Defaults to 'standardized'.
        init_cfg (dict, optional): With the checkpoint of the pretraining, for the search.

    Raises:
        FileNotFoundError: If a file does not exist.
        ValueError: If a setting is illegal, an index names no stage, or a checkpoint has wrong keys.
    """

    def __init__(self,
                 depth: int,
                 space: Optional[dict] = None,
                 base_channels: int = 64,
                 stem: Optional[dict] = None,
                 out_indices: Sequence[int] = (0, 1, 2, 3),
                 frozen_stages: int = -1,
                 norm_eval: bool = False,
                 with_cp: bool = False,
                 projection: bool = False,
                 binarization: Binarizes = 'standardized',
                 init_cfg: Optional[dict] = None) -> None:
        self.space = build_checked(CellSpace, space, 'space')
        rules = dict(binarization=binarization, projection=projection)
        super().__init__(depth, base_channels, stem, out_indices, frozen_stages, norm_eval, with_cp, rules, init_cfg)
        last = len(self.shape.stage_channels) - 1
        if out_indices[-1] != last:
            raise ValueError(f'out_indices is {self.out_indices}; a search needs the last stage, {last}, or cells '
                             'would never be trained')

    def _build_cell(self, site: CellSite) -> MixedCell:
        return MixedCell(site.in_channels, site.out_channels, 3, site.stride, self.space, self.rules)
