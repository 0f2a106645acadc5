"""The search as one of MMEngine's training loops."""
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
from mmengine.dist import all_reduce_params, get_rank
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop
from torch import Tensor

from ...checked import build_checked
from ...nasb.costs import candidate_ops, count_net_ops
from ...nasb.derive import derive_cells
from ...nasb.gradient import first_order, second_order
from ...nasb.network import CellNet
from ...nasb.record import SearchRecord
from ...registry import LOOPS
from ..optim.nasb import alpha_parameters, mixed_cells
from .split_data import build_split_loaders, cycle, start_epoch


@dataclass(frozen=True)
class Temperature:
    """Temperature of the edges' softmax over a search: from ``start`` to ``end``, by equal factors.

    Args:
        start (float): In the first epoch with edge steps. Defaults to 1.
        end (float): In the last epoch. Defaults to 0.1.

    Raises:
        ValueError: If one is not positive.
    """
    start: float = 1.0
    end: float = 0.1

    def __post_init__(self) -> None:
        if min(self.start, self.end) <= 0:
            raise ValueError(f'temperature runs from {self.start} to {self.end}; both must be positive')

    def at(self, progress: float) -> float:
        """The temperature at a progress from 0 to 1."""
        return self.start * (self.end / self.start)**min(max(progress, 0.0), 1.0)


@LOOPS.register_module()
class NASBSearchLoop(EpochBasedTrainLoop):
    """Searches the cells of a network by gradient (NASB, arXiv 2008.03515; DARTS, arXiv 1806.09055).

    The training set is split in two. Before each step of the weights on their half, the alphas make a step on
    theirs. Any model whose backbone is a :class:`NASBSearchResNet` can be searched by its own losses.

    After each epoch it writes ``cells.json``, the cells as they would be chosen now, ``alphas.jsonl``, the
    probabilities of all candidates after each epoch so far, and after the last one the pictures ``cells.png`` and
    ``alphas.png``. Checkpoints hold alphas and both optimisers; ``--resume`` continues after the last
    complete epoch and ends with the same cells as a search that was left alone.

    Args:
        runner (Runner): The runner; its optimisers are those of :class:`NASBOptimWrapperConstructor`.
        dataloader (dict): The training data loader's config.
        max_epochs (int): Epochs over the weights' half.
        input_size (Sequence[int]): Height and width, in pixels, OPs are counted for.
        warmup_epochs (int): First epochs without steps of the alphas. Defaults to 0.
        alpha_fraction (float): Share of the training images that the alphas get. Defaults to 0.5.
        order (int): 1, or 2 for the gradient one step of the weights ahead. Defaults to 1.
        temperature (dict, optional): Arguments of :class:`Temperature`. Defaults to None: from 1 to 0.1.
        ops_penalty (float): Added to the edges' loss per unit of expected overhead above ``max_overhead``: OPs of all
            edges over those of the plain network. Defaults to 0.
        entropy_penalty (float): Added to the edges' loss per nat of mean entropy of an edge. Defaults to 0.
        max_overhead (float, optional): Bound of the chosen cells' OPs over those of the plain network, minus one;
            kept whatever the penalty does. Defaults to None, no bound; the penalty then counts from 0.
        seed (int): Of the split and of the images' order and augmentation. Defaults to 0.
        **kwargs: ``val_begin`` and ``val_interval``, as for :class:`mmengine.runner.EpochBasedTrainLoop`.

    Raises:
        ValueError: If a setting is wrong, or the backbone has no mixed cells.
    """

    def __init__(self,
                 runner: Any,
                 dataloader: Dict[str, Any],
                 max_epochs: int,
                 input_size: Sequence[int],
                 warmup_epochs: int = 0,
                 alpha_fraction: float = 0.5,
                 order: int = 1,
                 temperature: Optional[dict] = None,
                 ops_penalty: float = 0.0,
                 entropy_penalty: float = 0.0,
                 max_overhead: Optional[float] = None,
                 seed: int = 0,
                 **kwargs: Any) -> None:
        if order not in (1, 2):
            raise ValueError(f'order is {order}; allowed are 1 and 2')
        if not 0 <= warmup_epochs < max_epochs:
            raise ValueError(f'warmup_epochs is {warmup_epochs}; allowed are 0 to {max_epochs - 1}, or alphas '
                             'would never be trained')
        self.order, self.warmup_epochs, self.seed = order, warmup_epochs, seed
        self.temperature = build_checked(Temperature, temperature, 'train_cfg.temperature')
        self.ops_penalty, self.entropy_penalty, self.max_overhead = ops_penalty, entropy_penalty, max_overhead
        self.model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        self.cells = mixed_cells(self.model)
        self.alphas = alpha_parameters(self.model)
        own = {id(p) for p in self.alphas}
        self.weights = [p for p in self.model.parameters() if p.requires_grad and id(p) not in own]
        self._count((int(input_size[0]), int(input_size[1])))
        weights_loader, self.alpha_dataloader = build_split_loaders(dataloader, alpha_fraction, seed)
        self.record = SearchRecord(Path(runner.work_dir))
        super().__init__(runner, weights_loader, max_epochs, **kwargs)

    def _count(self, input_size: Tuple[int, int]) -> None:
        """Prices all candidates; an impossible bound ends here."""
        backbone = self.model.backbone
        shape, self.space = backbone.shape, backbone.space
        plain = count_net_ops(CellNet.plain(shape.depth, self.space.num_bases), shape, input_size, backbone.rules)
        self.plain_ops = plain.total.ops
        self.costs = [candidate_ops(self.space, site, size)
                      for site, size in zip(shape.sites, shape.site_sizes(input_size))]
        self.input_size = input_size
        self.derive()

    # The two steps.

    def run(self) -> torch.nn.Module:
        """Runs the epochs that are left; returns the runner's model."""
        if not {'weights', 'alphas'} <= set(getattr(self.runner.optim_wrapper, 'optim_wrappers', ())):
            raise ValueError('a NASB search needs two optimisers: optim_wrapper=dict(constructor='
                             "'nasbnn_det.NASBOptimWrapperConstructor', weights=dict(...), alphas=dict(...))")
        for name, wrapper in self.runner.optim_wrapper.items():
            counts = round(1 / wrapper.scale_loss(1.0))
            if counts != 1:
                raise ValueError(f'optim_wrapper.{name}.accumulative_counts is {counts}; a NASB search updates in every '
                                 'step, only 1 is allowed')
        self.record.truncate(self._epoch)
        model = super().run()
        if get_rank() == 0:
            self.record.draw(self.derive(), self.space)
        return model

    def run_epoch(self) -> None:
        """One pass over the weights' half, each step after one of the alphas."""
        start_epoch([self.dataloader, self.alpha_dataloader], self.seed, self._epoch)
        progress = (self._epoch - self.warmup_epochs) / max(self._max_epochs - 1 - self.warmup_epochs, 1)
        for cell in self.cells.values():
            cell.temperature.fill_(self.temperature.at(progress))
        self._alpha_batches = cycle(self.alpha_dataloader)
        self.runner.call_hook('before_train_epoch')
        self.runner.model.train()
        for idx, data_batch in enumerate(self.dataloader):
            self.run_iter(idx, data_batch)
        if get_rank() == 0:
            self._save()
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1

    def run_iter(self, idx: int, data_batch: Any) -> None:
        """A step of the alphas, then one of the weights."""
        self.runner.call_hook('before_train_iter', batch_idx=idx, data_batch=data_batch)
        outputs: Dict[str, Tensor] = {}
        if self._epoch >= self.warmup_epochs:
            outputs['alpha_loss'] = self._alpha_step(next(self._alpha_batches), data_batch)
        outputs.update(self._weight_step(data_batch))
        self.runner.call_hook('after_train_iter', batch_idx=idx, data_batch=data_batch, outputs=outputs)
        self._iter += 1

    def _losses(self, batch: Any) -> Tuple[Tensor, Dict[str, Tensor]]:
        data = self.model.data_preprocessor(batch, True)
        return self.model.parse_losses(self.model(**data, mode='loss'))

    def _weight_step(self, batch: Any) -> Dict[str, Tensor]:
        wrapper = self.runner.optim_wrapper['weights']
        with wrapper.optim_context(self.runner.model):
            loss, logs = self._losses(batch)
        wrapper.backward(loss)
        all_reduce_params([p.grad for p in self.weights if p.grad is not None], op='mean')
        wrapper.step()
        wrapper.zero_grad()
        return logs

    def _alpha_step(self, batch: Any, weight_batch: Any) -> Tensor:
        wrapper = self.runner.optim_wrapper['alphas']

        def loss() -> Tensor:
            return self._losses(batch)[0] + self.penalty()

        if self.order == 1:
            value, gradients = first_order(loss, self.alphas, self.weights)
        else:
            rate = self.runner.optim_wrapper['weights'].get_lr()['lr'][0]
            value, gradients = second_order(loss, lambda: self._losses(weight_batch)[0], self.alphas, self.weights, rate)
        for parameter, gradient in zip(self.alphas, gradients):
            parameter.grad = gradient
        all_reduce_params([p.grad for p in self.alphas], op='mean')
        wrapper.step()
        wrapper.zero_grad()
        return value

    def penalty(self) -> Tensor:
        """What overhead and indecision add to the edges' loss."""
        probabilities = [cell.probabilities() for cell in self.cells.values()]
        added = sum((p * p.new_tensor(cost)).sum() for p, cost in zip(probabilities, self.costs))
        excess = (added / self.plain_ops - (self.max_overhead or 0.0)).clamp(min=0)
        rows = torch.cat(probabilities)
        entropy = -(rows * rows.clamp(min=1e-12).log()).sum(1).mean()
        return self.ops_penalty * excess + self.entropy_penalty * entropy

    # What comes of it.

    def derive(self) -> CellNet:
        """The cells as the alphas stand now, within the bound."""
        bound = None if self.max_overhead is None else self.max_overhead * self.plain_ops
        probabilities = [cell.probabilities().detach().double().cpu().numpy() for cell in self.cells.values()]
        cells = derive_cells(probabilities, self.space, self.costs, bound)
        shape = self.model.backbone.shape
        return CellNet(shape.depth, cells, dict(input_size=list(self.input_size), base_channels=shape.base_channels,
                                                max_overhead=self.max_overhead, seed=self.seed))

    def _save(self) -> None:
        net, backbone = self.derive(), self.model.backbone
        rows: Dict[str, List[List[float]]] = {
            name: cell.probabilities().tolist() for name, cell in self.cells.items()}
        self.record.add(self._epoch, float(next(iter(self.cells.values())).temperature), rows, self.space, net)
        ops = count_net_ops(net, backbone.shape, self.input_size, backbone.rules).total.ops
        sure = torch.cat([cell.probabilities() for cell in self.cells.values()]).amax(1).mean()
        edges = sum(len(cell.edges) for cell in net.cells)
        self.runner.logger.info(f'cells after epoch {self._epoch + 1}: {edges} edges, {ops / 1e6:.2f}M OPs, '
                                f'{100 * (ops / self.plain_ops - 1):+.1f} % over plain; best candidates have '
                                f'{float(sure):.2f} on average')
        self.runner.visualizer.add_scalars({'nasb/overhead': ops / self.plain_ops - 1, 'nasb/confidence': float(sure)},
                                           step=self._epoch + 1)
