"""The validation of a supernet as one of MMEngine's loops."""
from typing import Any, Dict, List, Optional, Tuple, Union

from mmengine.evaluator import Evaluator
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from torch.utils.data import DataLoader

from ...arch import Arch
from ...registry import LOOPS
from ...supernet import Supernet, extract_subnet
from ..evaluation.from_runner import runner_subnet_evaluator
from ..evaluation.subnet_evaluator import SubnetEvaluator
from ..ranks import map_over_ranks


@LOOPS.register_module()
class SupernetValLoop(BaseLoop):
    """Validates a supernet during training through its smallest and biggest subnets, recalibrated.

    The images are decoded in the first validation and kept for the others.

    Args:
        runner (Runner): The runner.
        dataloader (DataLoader | dict): Validation images.
        evaluator (Evaluator | dict | list): Metrics.
        recalibration_batches (int): Training batches for recalibration. Defaults to 10.
        packed (bool): As for :class:`EvolutionSearchLoop`. Defaults to False.
        image_cache (dict, optional): As for :class:`EvolutionSearchLoop`. Defaults to None.
    """

    def __init__(self, runner: Any, dataloader: Union[DataLoader, dict], evaluator: Union[Evaluator, dict, list],
                 recalibration_batches: int = 10, packed: bool = False, image_cache: Optional[dict] = None) -> None:
        super().__init__(runner, dataloader)
        self.evaluator = evaluator if isinstance(evaluator, Evaluator) else runner.build_evaluator(evaluator)
        self.recalibration_batches = recalibration_batches
        self.packed = packed
        self.image_cache = image_cache
        self._evaluate: Optional[SubnetEvaluator] = None

    def run(self) -> Dict[str, float]:
        """Evaluates; metrics are prefixed ``smallest/`` and ``biggest/``."""
        runner = self.runner
        runner.call_hook('before_val')
        runner.call_hook('before_val_epoch')
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        supernet: Supernet = model.supernet
        if self._evaluate is None:
            self._evaluate = runner_subnet_evaluator(
                runner, runner.train_dataloader, self.recalibration_batches, self.dataloader, self.evaluator,
                packed=self.packed, image_cache=self.image_cache)
        names, archs = zip(*self.archs(supernet))
        found = map_over_ranks(lambda arch: self._evaluate(extract_subnet(supernet, arch)), archs)
        metrics = {f'{name}/{key}': value for name, row in zip(names, found) for key, value in row.items()}
        runner.call_hook('after_val_epoch', metrics=metrics)
        runner.call_hook('after_val')
        return metrics

    @staticmethod
    def archs(supernet: Supernet) -> List[Tuple[str, Arch]]:
        """Names and architectures that are validated."""
        return [('smallest', Arch.smallest(supernet.space)), ('biggest', Arch.biggest(supernet.space))]
