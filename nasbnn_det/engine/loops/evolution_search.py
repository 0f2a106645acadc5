"""The loops MMEngine's Runner runs: the evolutionary search, and the validation of a supernet."""
import hashlib
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from mmengine.dist import get_rank, get_world_size
from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from ...arch import Arch
from ...checked import build_checked
from ...costs import count_ops
from ...registry import LOOPS
from ...search.evolution import Evolution, EvolutionConfig
from ...search.limits import build_limits
from ...search.sampling import OpsWindow
from ...search.state import SearchFiles
from ...supernet import InferenceSubnet, PackedInferenceSubnet, Subnet, Supernet, extract_subnet, file_sha256, load_supernet
from ...visualization.plots import plot_front
from ..evaluation.subnet_evaluator import SubnetEvaluator
from ..progress import SearchProgress
from ..ranks import from_main, map_over_ranks


def _preprocessor(runner: Any) -> Any:
    model = runner.model.module if is_model_wrapper(runner.model) else runner.model
    return model.data_preprocessor


def _form(packed: bool) -> Callable[[Subnet], Any]:
    return PackedInferenceSubnet if packed else InferenceSubnet


def _data_hash(cfg: Any) -> str:
    """Changes with whatever a score depends on beside the network: images, preprocessing, batches, metrics.

    Where the images lie does not count, so that data may move between a search and its continuation.
    """
    loaders = [{key: value for key, value in cfg.get(name, {}).items() if key in ('batch_size', 'dataset')}
               for name in ('train_dataloader', 'val_dataloader')]
    for loader in loaders:
        loader['dataset'] = {k: v for k, v in loader.get('dataset', {}).items() if k != 'data_root'}
    facts = [loaders, cfg.get('val_evaluator'), cfg.get('model', {}).get('data_preprocessor')]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


@LOOPS.register_module()
class EvolutionSearchLoop(BaseLoop):
    """Searches a trained supernet for the best architectures per bucket of OPs (arXiv 2408.15484, Sec. 3.3).

    Used as a training loop: the training data loader gives the images for batch norm recalibration, the validation
    data loader and evaluator give the score. Into the work directory it writes, after every generation,
    ``search_state.json`` (continued by ``--resume``), ``front.json``, ``history.jsonl`` and ``front.png``.

    In a distributed run the main process proposes, the candidates of a generation are spread over all processes, and
    each is scored on all validation images; the files are byte for byte those of a single process.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Images for recalibration.
        supernet (str): Checkpoint of the trained supernet.
        ops_range (Sequence[float]): Fewest and most OPs of a candidate, in millions.
        input_size (Sequence[int]): Height and width, in pixels, the OPs are counted for.
        score (str): Metric to maximise, any that the evaluator gives. Defaults to 'accuracy/top1'.
        limits (dict, optional): Further upper bounds, as :func:`build_limits` reads them: ``dict(params=2e6)``, or a
            callable's value such as latency. Defaults to None.
        evolution (dict, optional): Arguments of :class:`EvolutionConfig`; ``bucket`` in OPs.
        recalibration_batches (int): Training batches for recalibration. Defaults to 10.
        seed (int): Seed of the search. Defaults to 0.
        packed (bool): Evaluates candidates on the packed kernels: several times faster on a CPU, the same scores up to
            rounding. Defaults to False.

    Raises:
        FileNotFoundError: If the supernet's checkpoint does not exist.
        InfeasibleWindowError: If no architecture has OPs in the range or keeps the limits; before any image is
            loaded.
        ValueError: If a setting or a file is wrong.
    """

    def __init__(self,
                 runner: Any,
                 dataloader: Union[DataLoader, dict],
                 supernet: str,
                 ops_range: Sequence[float],
                 input_size: Sequence[int],
                 score: str = 'accuracy/top1',
                 limits: Optional[Dict[str, Any]] = None,
                 evolution: Optional[dict] = None,
                 recalibration_batches: int = 10,
                 seed: int = 0,
                 packed: bool = False) -> None:
        self._check_runner(runner)
        self.packed = packed
        self.supernet = load_supernet(supernet).eval()
        self.input_size = (int(input_size[0]), int(input_size[1]))
        self.score = score
        self.recalibration_batches = recalibration_batches
        window = OpsWindow(float(ops_range[0]) * 1e6, float(ops_range[1]) * 1e6)
        config = build_checked(EvolutionConfig, evolution, 'train_cfg.evolution')
        self.seed = seed
        self.evolution = Evolution(self.supernet.space, window, self.count, config, seed,
                                   build_limits(limits or {}, self.supernet.num_classes))
        self.info = dict(
            metric=score, bucket=config.bucket, input_size=list(self.input_size),
            num_classes=self.supernet.num_classes, supernet=Path(supernet).name,
            supernet_sha256=file_sha256(supernet), seed=seed)
        identity = dict(self.info, space=self.supernet.space.to_dict(), window=[window.low, window.high],
                        evolution=vars(config), recalibration_batches=recalibration_batches,
                        limits=limits or {}, data=_data_hash(runner.cfg), **(dict(packed=True) if packed else {}))
        self.files = SearchFiles(Path(runner.work_dir), identity)
        state = from_main(self.files.load_state) if runner._resume else None
        if state is not None:
            self.evolution.load_state_dict(state)
        # A first generation drawn now ends an infeasible window before data is loaded.
        self._proposed = self._propose()
        super().__init__(runner, dataloader)

    @staticmethod
    def _check_runner(runner: Any) -> None:
        if runner._val_loop is None:
            raise ValueError('EvolutionSearchLoop scores on the validation images; the config needs val_dataloader, '
                             'val_cfg and val_evaluator')

    def count(self, arch: Arch) -> float:
        """OPs of an architecture, classifier included, at ``input_size``."""
        return count_ops(arch, self.input_size, self.supernet.num_classes).ops

    # What Runner.train reads from a training loop.

    @property
    def iter(self) -> int:
        """Candidates evaluated so far."""
        return len(self.evolution.visited)

    @property
    def max_iters(self) -> int:
        """Candidates of all generations."""
        cfg = self.evolution.config
        return cfg.num_random + cfg.generations * (cfg.num_mutants + cfg.num_crossovers)

    @property
    def epoch(self) -> int:
        """Generations told so far."""
        return self.evolution.generation

    @property
    def max_epochs(self) -> int:
        """All generations, the random one included."""
        return self.evolution.config.generations + 1

    def _propose(self) -> List[Arch]:
        """The current generation, the same in all processes; empty where all are done."""
        return from_main(lambda: [] if self.evolution.finished else self.evolution.propose())

    def run(self) -> Any:
        """Runs the generations that are left; returns the runner's model."""
        self.runner.call_hook('before_train')
        loop = self.runner.val_loop
        evaluate = SubnetEvaluator(_preprocessor(self.runner), self.dataloader, self.recalibration_batches,
                                   loop.dataloader, loop.evaluator, self.seed, _form(self.packed))
        progress = SearchProgress(
            self.runner.logger, self.runner.visualizer, self.max_iters, self.iter,
            max((entry.score for entry in self.evolution.visited.values()), default=None))

        def score(arch: Arch) -> float:
            value = self._score(evaluate, arch)
            progress.candidate(value, get_world_size())
            return value

        while not self.evolution.finished:
            self.evolution.tell(self._proposed, map_over_ranks(score, self._proposed))
            if get_rank() == 0:
                self._save()
            progress.generation(self.iter, max(e.score for e in self.evolution.front()))
            self._proposed = self._propose()
        progress.close()
        self.runner.call_hook('after_train')
        return self.runner.model

    def _score(self, evaluate: SubnetEvaluator, arch: Arch) -> float:
        metrics = evaluate(extract_subnet(self.supernet, arch))
        if self.score not in metrics:
            raise ValueError(f"the evaluator gives no metric '{self.score}'; it gives {', '.join(metrics)}")
        return float(metrics[self.score])

    def _save(self) -> None:
        # An earlier search's state is set aside when this one has something to put in its place.
        if self.epoch == 1 and not self.runner._resume:
            self.files.set_state_aside()
        front = self.evolution.front()
        visited = list(self.evolution.visited.values())
        self.files.save_front(front, self.info)
        self.files.save_history(visited)
        plot_front(self.files.picture_path, visited, front, self.score)
        self.files.save_state(self.evolution.state_dict())
        best = max(front, key=lambda e: e.score)
        self.runner.logger.info(f'generation {self.epoch - 1} done: {len(visited)} architectures, front of '
                                f'{len(front)}, best {self.score} {best.score:.2f} at {best.ops / 1e6:.2f}M OPs')


@LOOPS.register_module()
class SupernetValLoop(BaseLoop):
    """Validates a supernet during training through its smallest and biggest subnets, recalibrated.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Validation images.
        evaluator (Evaluator | dict | list): Metrics.
        recalibration_batches (int): Training batches for recalibration. Defaults to 10.
        packed (bool): As for :class:`EvolutionSearchLoop`. Defaults to False.
    """

    def __init__(self, runner: Any, dataloader: Union[DataLoader, dict], evaluator: Union[Evaluator, dict, list],
                 recalibration_batches: int = 10, packed: bool = False) -> None:
        super().__init__(runner, dataloader)
        self.evaluator = evaluator if isinstance(evaluator, Evaluator) else runner.build_evaluator(evaluator)
        self.recalibration_batches = recalibration_batches
        self.packed = packed

    def run(self) -> Dict[str, float]:
        """Evaluates; metrics are prefixed ``smallest/`` and ``biggest/``."""
        runner = self.runner
        runner.call_hook('before_val')
        runner.call_hook('before_val_epoch')
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        supernet: Supernet = model.supernet
        evaluate = SubnetEvaluator(_preprocessor(runner), runner.train_dataloader, self.recalibration_batches,
                                   self.dataloader, self.evaluator, prepare=_form(self.packed))
        names, archs = zip(*self.archs(supernet))
        metrics = {}
        for name, found in zip(names, map_over_ranks(lambda arch: evaluate(extract_subnet(supernet, arch)), archs)):
            metrics.update({f'{name}/{key}': value for key, value in found.items()})
        runner.call_hook('after_val_epoch', metrics=metrics)
        runner.call_hook('after_val')
        return metrics

    @staticmethod
    def archs(supernet: Supernet) -> List[Tuple[str, Arch]]:
        """Names and architectures that are validated."""
        return [('smallest', Arch.smallest(supernet.space)), ('biggest', Arch.biggest(supernet.space))]
