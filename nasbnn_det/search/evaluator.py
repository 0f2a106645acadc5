"""Scoring a subnet: recalibrate its batch norms, run it over the validation images, ask the evaluator."""
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ..supernet import recalibrate_bn

_Batch = Tuple[Tensor, List[DataSample]]


class SubnetEvaluator:
    """Evaluates one subnet after another on the same batches.

    The batches are loaded and preprocessed once and kept, as far as they fit into ``cache_bytes``; beyond that
    the data loader is iterated anew for each subnet (it is never rebuilt).

    Args:
        preprocess (Callable): MMEngine data preprocessor: ``preprocess(data, training)`` gives a dict with
            ``inputs`` (N, 3, H, W) and ``data_samples``.
        train_dataloader (DataLoader): Images for recalibration.
        recalibration_batches (int): How many of its batches are used.
        val_dataloader (DataLoader): Images to score on.
        evaluator (Evaluator): Any of MMEngine's, with metrics of MMPretrain.
        cache_bytes (int): Memory for validation images. Defaults to 1 GiB.

    Raises:
        ValueError: If ``recalibration_batches`` is below 1.
    """

    def __init__(self,
                 preprocess: Callable[..., Dict[str, Any]],
                 train_dataloader: DataLoader,
                 recalibration_batches: int,
                 val_dataloader: DataLoader,
                 evaluator: Evaluator,
                 cache_bytes: int = 1 << 30) -> None:
        if recalibration_batches < 1:
            raise ValueError(f'recalibration_batches is {recalibration_batches}; at least 1 is needed')
        self.preprocess = preprocess
        self.val_dataloader = val_dataloader
        self.evaluator = evaluator
        self.cache_bytes = cache_bytes
        self._recalibration = self._load_recalibration(train_dataloader, recalibration_batches)
        self._validation: List[_Batch] = []
        self._validation_is_cached = False

    def _load_recalibration(self, dataloader: DataLoader, wanted: int) -> List[Tensor]:
        batches = []
        while len(batches) < wanted:
            before = len(batches)
            for data in dataloader:
                batches.append(self.preprocess(data, False)['inputs'])
                if len(batches) == wanted:
                    break
            if len(batches) == before:
                raise ValueError('the training data loader gives no batch; recalibration needs at least one')
        return batches

    def _load_validation(self) -> Iterable[_Batch]:
        if self._validation_is_cached:
            return self._validation
        return self._iterate_validation()

    def _iterate_validation(self) -> Iterator[_Batch]:
        kept, size = [], 0
        for data in self.val_dataloader:
            data = self.preprocess(data, False)
            batch = (data['inputs'], data['data_samples'])
            size += batch[0].numel() * batch[0].element_size()
            if size <= self.cache_bytes:
                kept.append(batch)
            yield batch
        if size <= self.cache_bytes:
            self._validation, self._validation_is_cached = kept, True

    @torch.inference_mode()
    def __call__(self, subnet: nn.Module) -> Dict[str, float]:
        """Recalibrates and evaluates.

        Args:
            subnet (nn.Module): ``subnet(images)`` gives logits (N, classes). Moved to the images' device; its batch
                norm statistics change.

        Returns:
            dict[str, float]: The evaluator's metrics, full precision.
        """
        subnet.to(self._recalibration[0].device).eval()
        recalibrate_bn(subnet, self._recalibration)
        count = 0
        for images, samples in self._load_validation():
            scored = [_with_scores(sample, scores) for sample, scores in zip(samples, subnet(images).softmax(1))]
            self.evaluator.process(data_samples=scored)
            count += len(scored)
        return self.evaluator.evaluate(count)


def _with_scores(sample: DataSample, scores: Tensor) -> DataSample:
    """A new sample with the prediction; the cached one stays as it was."""
    return sample.new().set_gt_label(sample.gt_label).set_pred_score(scores).set_pred_label(scores.argmax())
