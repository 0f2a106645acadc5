"""Scoring a subnet: recalibrate its batch norms, run it over the validation images, ask the evaluator."""
from typing import Any, Callable, Dict, Iterator, List, Tuple

import torch
from mmengine.evaluator import Evaluator
from torch import Tensor
from torch.utils.data import DataLoader

from ...supernet import InferenceSubnet, Subnet
from .loading import draw_batches
from .stored_images import ImageCache, store_images


class SubnetEvaluator:
    """Evaluates one subnet after another on the same images, in this process alone.

    No image is decoded twice: they are kept as they come out of the pipeline, a byte a value, and preprocessed anew on
    the device for each subnet. In a distributed run every process has all images, none twice, so that a score does not
    depend on the number of processes; those of a node share one file.

    A batch of recalibration can't be split without changing the scores, as every layer is normalised by the whole
    batch. Where ten batches of 2,048 images need too much memory, 80 of 256 are about as good.

    Args:
        preprocess (Callable): MMEngine data preprocessor: ``preprocess(data, training)`` gives a dict with
            ``inputs`` (N, 3, H, W), on the device where subnets shall run.
        train_dataloader (DataLoader): Its data set, batch size and workers serve recalibration.
        recalibration_batches (int): How many batches are used.
        val_dataloader (DataLoader): Its data set, batch size and workers serve the score, which does not depend on the
            batch size.
        evaluator (Evaluator): Any of MMEngine's, with metrics of MMPretrain; they see labels and scores.
        seed (int): Chooses the images for recalibration. Defaults to 0.
        prepare (Callable): Turns a subnet into what is evaluated: an object with ``recalibrate(batches)`` that gives
            logits when it is called with images. Defaults to :class:`nasbnn_det.supernet.InferenceSubnet`;
            :class:`nasbnn_det.supernet.PackedInferenceSubnet` is the one on packed kernels, for a CPU.
        cache (ImageCache): Where decoded images are kept. Defaults to memory alone.
        identity (Any): As for :func:`store_images`. Defaults to None.

    Raises:
        ValueError: If ``recalibration_batches`` is below 1, or there are no images, no labels, or images of many sizes.
    """

    def __init__(self,
                 preprocess: Callable[..., Dict[str, Any]],
                 train_dataloader: DataLoader,
                 recalibration_batches: int,
                 val_dataloader: DataLoader,
                 evaluator: Evaluator,
                 seed: int = 0,
                 prepare: Callable[[Subnet], Any] = InferenceSubnet,
                 cache: ImageCache = ImageCache(),
                 identity: Any = None) -> None:
        if recalibration_batches < 1:
            raise ValueError(f'recalibration_batches is {recalibration_batches}; at least 1 is needed')
        for what, loader in (('training', train_dataloader), ('validation', val_dataloader)):
            if not len(loader.dataset):
                raise ValueError(f'the {what} data set is empty; scoring a network needs at least one image')
        self.preprocess = preprocess
        self.evaluator = evaluator
        self.prepare = prepare
        self.batch_size = val_dataloader.batch_size
        drawn = draw_batches(len(train_dataloader.dataset), train_dataloader.batch_size, recalibration_batches, seed)
        self.recalibration_batch_size = len(drawn[0])
        indices = [index for batch in drawn for index in batch]
        self._recalibration = store_images('recalibration', train_dataloader, indices, cache, identity, seed)
        self._validation = store_images('validation', val_dataloader, range(len(val_dataloader.dataset)), cache, identity)
        if not all(self._validation.labels):
            raise ValueError(f'validation image {self._validation.labels.index([])} has no label; a score needs all')

    @property
    def image_size(self) -> Tuple[int, int]:
        """Height and width of the images for recalibration, in pixels."""
        return self._recalibration.shape[2:]

    def recalibration_batches(self) -> Iterator[Tensor]:
        """Preprocessed images of shape (N, 3, H, W)."""
        return (self._preprocessed(self._recalibration, start, self.recalibration_batch_size)
                for start in range(0, len(self._recalibration), self.recalibration_batch_size))

    def validation_batches(self) -> Iterator[Tuple[Tensor, List[List[int]]]]:
        """Preprocessed images of shape (N, 3, H, W) and the labels of each."""
        return ((self._preprocessed(self._validation, start, self.batch_size),
                 self._validation.labels[start:start + self.batch_size])
                for start in range(0, len(self._validation), self.batch_size))

    def _preprocessed(self, stored: Any, start: int, number: int) -> Tensor:
        return self.preprocess(dict(inputs=stored.read(start, start + number)), False)['inputs']

    @torch.inference_mode()
    def __call__(self, subnet: Subnet) -> Dict[str, float]:
        """Recalibrates and evaluates.

        Args:
            subnet (Subnet): The network. Moved to the images' device; its batch norm statistics are set.

        Returns:
            dict[str, float]: The evaluator's metrics, full precision.
        """
        device = self._preprocessed(self._validation, 0, 1).device
        network = self.prepare(subnet.to(device))
        network.recalibrate(self.recalibration_batches())
        for images, labels in self.validation_batches():
            # One copy from the device a batch; the metrics would make several an image.
            scores = network(images).softmax(1).cpu()
            self.evaluator.process(data_samples=[_sample(*row) for row in zip(labels, scores, scores.argmax(1))])
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


def _sample(label: List[int], scores: Tensor, predicted: Tensor) -> Dict[str, Tensor]:
    """What an evaluator makes of a DataSample, without the way there: 2,500 of them took a tenth of a candidate's time."""
    return dict(gt_label=torch.tensor(label), pred_score=scores, pred_label=predicted[None])
