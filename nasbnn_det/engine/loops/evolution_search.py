"""The evolutionary search as one of MMEngine's training loops."""
import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

from mmengine.dist import get_rank, get_world_size
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from ...arch import Arch, SearchSpace
from ...checked import build_checked
from ...costs import count_ops
from ...files import replace_text
from ...registry import LOOPS
from ...search.constraints import build_constraints
from ...search.evolution import Evolution, EvolutionConfig
from ...search.sampling import OpsWindow
from ...search.state import SearchFiles
from ...supernet import extract_subnet, file_sha256, load_supernet
from ...visualization.plots import plot_front
from ...visualization.search_facts import read_search
from ...visualization.search_report import search_report
from ..evaluation.from_runner import runner_subnet_evaluator
from ..evaluation.subnet_evaluator import SubnetEvaluator
from ..progress import SearchProgress
from ..ranks import from_main, map_over_ranks


def _data_hash(cfg: Any) -> str:
    """Changes with whatever a score depends on beside the network: images, preprocessing, batches, metrics.

    Where the images lie does not count, so that data may move between a search and its continuation; nor does the size
    of validation batches, so that a search that ran out of memory can go on with smaller ones.
    """
    loaders = [{key: value for key, value in cfg.get(name, {}).items() if key in keys}
               for name, keys in (('train_dataloader', ('batch_size', 'dataset')), ('val_dataloader', ('dataset', )))]
    for loader in loaders:
        loader['dataset'] = {k: v for k, v in loader.get('dataset', {}).items() if k != 'data_root'}
    facts = [loaders, cfg.get('val_evaluator'), cfg.get('model', {}).get('data_preprocessor')]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def _widest_map(space: SearchSpace, batch_size: int, input_size: Sequence[int]) -> int:
    """Bytes of the largest map that a candidate makes of a batch."""
    maps = [stage.channels[-1] * -(-input_size[0] // stride) * -(-input_size[1] // stride)
            for stage, stride in zip(space.stages, space.strides)]
    return 4 * batch_size * max(maps)


@LOOPS.register_module()
class EvolutionSearchLoop(BaseLoop):
    """Searches a trained supernet for the best architectures per bucket of OPs (arXiv 2408.15484, Sec. 3.3).

    Used as a training loop: the training data loader gives the images for batch norm recalibration, the validation
    data loader and evaluator give the score. Into the work directory it writes, after every generation,
    ``search_state.json`` (continued by ``--resume``), ``front.json``, ``history.jsonl`` and ``front.png``;
    at the end ``search.html``, the whole search on one page.

    In a distributed run the main process proposes, the candidates of a generation are spread over all processes, and
    each is scored on all validation images; the files are byte for byte those of a single process.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Images for recalibration.
        supernet (str): Checkpoint of the trained supernet.
        ops_range (Sequence[float]): Fewest and most OPs of a candidate, in millions.
        input_size (Sequence[int]): Height and width, in pixels, the OPs are counted for.
        score (str): Metric to maximise, any that the evaluator gives. Defaults to 'accuracy/top1'.
        constraints (dict, optional): Further upper bounds, as :func:`build_constraints` reads them:
            ``dict(params=2e6)``, or a callable's value such as latency. Defaults to None.
        evolution (dict, optional): Arguments of :class:`EvolutionConfig`; ``bucket`` in OPs.
        recalibration_batches (int): Training batches for recalibration. Defaults to 10.
        seed (int): Seed of the search. Defaults to 0.
        packed (bool): Evaluates candidates on the packed kernels: several times faster on a CPU, the same scores up to
            rounding. They run on the CPU even where there is a GPU. Defaults to False.
        image_cache (dict, optional): Arguments of :class:`ImageCache`, where decoded images are kept: ``folder``, by
            default ``images`` in the work directory, and ``memory``, up to which a single process needs no file.
            Defaults to None.

    Raises:
        FileNotFoundError: If the supernet's checkpoint does not exist.
        InfeasibleWindowError: If no architecture has OPs in the range or keeps the constraints; before any image is
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
                 constraints: Optional[Dict[str, Any]] = None,
                 evolution: Optional[dict] = None,
                 recalibration_batches: int = 10,
                 seed: int = 0,
                 packed: bool = False,
                 image_cache: Optional[dict] = None) -> None:
        self._check_runner(runner)
        self.packed = packed
        self.image_cache = image_cache
        # Whether a state that is there is continued; not read from the runner's private members.
        self.resumes = bool(runner.cfg.get('resume'))
        self.supernet = load_supernet(supernet).eval()
        self.input_size = (int(input_size[0]), int(input_size[1]))
        self.score = score
        self.recalibration_batches = recalibration_batches
        window = OpsWindow(float(ops_range[0]) * 1e6, float(ops_range[1]) * 1e6)
        config = build_checked(EvolutionConfig, evolution, 'train_cfg.evolution')
        self.seed = seed
        self.evolution = Evolution(self.supernet.space, window, self.count, config, seed,
                                   build_constraints(constraints or {}, self.supernet.num_classes))
        self.info = dict(
            metric=score, bucket=config.bucket, input_size=list(self.input_size),
            num_classes=self.supernet.num_classes, supernet=Path(supernet).name,
            supernet_sha256=file_sha256(supernet), seed=seed)
        identity = dict(self.info, space=self.supernet.space.to_dict(), window=[window.low, window.high],
                        evolution=vars(config), recalibration_batches=recalibration_batches,
                        constraints=constraints or {}, data=_data_hash(runner.cfg), **(dict(packed=True) if packed else {}))
        self.files = SearchFiles(Path(runner.work_dir), identity)
        state = from_main(self.files.load_state) if self.resumes else None
        if state is not None:
            self.evolution.load_state_dict(state)
        # A first generation drawn now ends an infeasible window before data is loaded.
        self._proposed = self._propose()
        super().__init__(runner, dataloader)

    @staticmethod
    def _check_runner(runner: Any) -> None:
        if any(runner.cfg.get(name) is None for name in ('val_dataloader', 'val_cfg', 'val_evaluator')):
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
        evaluate = runner_subnet_evaluator(self.runner, self.dataloader, self.recalibration_batches, loop.dataloader,
                                           loop.evaluator, self.seed, self.packed, self.image_cache)
        widest = _widest_map(self.supernet.space, evaluate.recalibration_batch_size, evaluate.image_size)
        self.runner.logger.info(f'recalibration runs batches of {evaluate.recalibration_batch_size} images; the widest '
                                f'network makes maps of {widest / 1e9:.2f} GB of one, and holds up to five at a time')
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
        if get_rank() == 0:
            self._write_page()
        self.runner.call_hook('after_train')
        return self.runner.model

    def _write_page(self) -> None:
        folder = self.files.folder
        replace_text(folder / self.files.page, search_report(read_search(folder), f'Search {folder.resolve().name}'))

    def _score(self, evaluate: SubnetEvaluator, arch: Arch) -> float:
        metrics = evaluate(extract_subnet(self.supernet, arch))
        if self.score not in metrics:
            raise ValueError(f"the evaluator gives no metric '{self.score}'; it gives {', '.join(metrics)}")
        return float(metrics[self.score])

    def _save(self) -> None:
        # An earlier search's state is set aside when this one has something to put in its place.
        if self.epoch == 1 and not self.resumes:
            self.files.set_state_aside()
        front = self.evolution.front()
        visited = list(self.evolution.visited.values())
        self.files.save_front(front, self.info)
        self.files.save_history(visited)
        plot_front(self.files.picture_path, visited, front, self.score)
        self.files.save_state(self.evolution.state_dict())
        best = max(front, key=lambda e: e.score)
        self.runner.logger.info(f'generation {self.epoch - 1} done: {len(visited)} architectures, front of '
                                f'{len(front)}, best {self.score} {best.score:.6g} at {best.ops / 1e6:.2f}M OPs')
