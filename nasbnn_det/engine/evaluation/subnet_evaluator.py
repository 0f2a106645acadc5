"""Scoring a subnet: recalibrate its batch norms, run it over the validation images, ask the evaluator."""
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from torch import Tensor
from torch.utils.data import DataLoader

from ...supernet import InferenceSubnet, Subnet
from .loading import whole_dataloader

_Batch = Tuple[Tensor, List[DataSample]]


class SubnetEvaluator:
    """Evaluates one subnet after another on the same images, in this process alone.

    The batches are loaded and preprocessed once and kept, as far as they fit into ``cache_bytes``; beyond that
    the data loader is iterated anew for each subnet (it is never rebuilt). In a distributed run every process has all
    images, none twice, so that a score does not depend on the number of processes.

    Args:
        preprocess (Callable): MMEngine data preprocessor: ``preprocess(data, training)`` gives a dict with
            ``inputs`` (N, 3, H, W) and ``data_samples``.
        train_dataloader (DataLoader): Its data set, batch size and workers serve recalibration.
        recalibration_batches (int): How many batches are used.
        val_dataloader (DataLoader): Its data set, batch size and workers serve the score.
        evaluator (Evaluator): Any of MMEngine's, with metrics of MMPretrain.
        seed (int): Chooses the images for recalibration. Defaults to 0.
        prepare (Callable): Turns a subnet into what is evaluated: an object with ``recalibrate(batches)`` that gives
            logits when it is called with images. Defaults to :class:`nasbnn_det.supernet.InferenceSubnet`;
            :class:`nasbnn_det.supernet.PackedInferenceSubnet` is the one on packed kernels, for a CPU.
        cache_bytes (int): Memory for validation images. Defaults to 1 GiB.

    Attributes:
        recalibration_batches (list[Tensor]): Images of shape (N, 3, H, W).
        validation_batches (list[tuple[Tensor, list[DataSample]]]): What is kept of the validation images.

    Raises:
        ValueError: If ``recalibration_batches`` is below 1, or there are no images.
    """

    def __init__(self,
                 preprocess: Callable[..., Dict[str, Any]],
                 train_dataloader: DataLoader,
                 recalibration_batches: int,
                 val_dataloader: DataLoader,
                 evaluator: Evaluator,
                 seed: int = 0,
                 prepare: Callable[[Subnet], Any] = InferenceSubnet,
                 cache_bytes: int = 1 << 30) -> None:
        if recalibration_batches < 1:
            raise ValueError(f'recalibration_batches is {recalibration_batches}; at least 1 is needed')
        self.preprocess = preprocess
        self.evaluator = evaluator
        self.prepare = prepare
        self.cache_bytes = cache_bytes
        self.recalibration_batches = self._load_recalibration(train_dataloader, recalibration_batches, seed)
        self._val_dataloader = whole_dataloader(val_dataloader)
        self.validation_batches: List[_Batch] = []
        self._validation_is_cached = False

    def _load_recalibration(self, dataloader: DataLoader, wanted: int, seed: int) -> List[Tensor]:
        if not len(dataloader.dataset):
            raise ValueError('the training data set is empty; recalibration needs at least one image')
        batches: List[Tensor] = []
        dataloader = whole_dataloader(dataloader, shuffle_seed=seed)
        while len(batches) < wanted:
            for data in dataloader:
                batches.append(self.preprocess(data, False)['inputs'])
                if len(batches) == wanted:
                    break
        return batches

    def _load_validation(self) -> Iterable[_Batch]:
        if self._validation_is_cached:
            return self.validation_batches
        return self._iterate_validation()

    def _iterate_validation(self) -> Iterator[_Batch]:
        kept, size = [], 0
        for data in self._val_dataloader:
            data = self.preprocess(data, False)
            batch = (data['inputs'], data['data_samples'])
            size += batch[0].numel() * batch[0].element_size()
            if size <= self.cache_bytes:
                kept.append(batch)
            yield batch
        if size <= self.cache_bytes:
            self.validation_batches, self._validation_is_cached = kept, True

    @torch.inference_mode()
    def __call__(self, subnet: Subnet) -> Dict[str, float]:
        """Recalibrates and evaluates.

        Args:
            subnet (Subnet): The network. Moved to the images' device; its batch norm statistics are set.

        Returns:
            dict[str, float]: The evaluator's metrics, full precision.
        """
        network = self.prepare(subnet.to(self.recalibration_batches[0].device))
        network.recalibrate(self.recalibration_batches)
        for images, samples in self._load_validation():
            scored = [_with_scores(sample, scores) for sample, scores in zip(samples, network(images).softmax(1))]
            self.evaluator.process(data_samples=scored)
        return self._metrics()

    def _metrics(self) -> Dict[str, float]:
        """What ``evaluator.evaluate`` gives, from this process's results alone: that one would gather all processes'."""
        metrics: Dict[str, float] = {}
        for metric in self.evaluator.metrics:
            found = metric.compute_metrics(metric.results)
            metric.results = []
            prefix = f'{metric.prefix}/' if metric.prefix else ''
            metrics.update({f'{prefix}{name}': value for name, value in found.items()})
        return metrics


def _with_scores(sample: DataSample, scores: Tensor) -> DataSample:
    """A new sample with the prediction; the cached one stays as it was."""
    return sample.new().set_gt_label(sample.gt_label).set_pred_score(scores).set_pred_label(scores.argmax())
