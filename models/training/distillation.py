"""The targets of a training run: labels, shares of annotators, a teacher's predictions (knowledge distillation)."""

from __future__ import annotations

import logging

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoints import load_checkpoint
from ..datasets import FaceSet
from ..metrics import predict
from .config import TrainConfig
from .errors import TrainingError

_log = logging.getLogger(__name__)


def targets(config: TrainConfig, training: FaceSet, device: torch.device) -> Tensor | None:
    """Class probabilities to train towards: soft labels, and the teacher's predictions in knowledge distillation.

    target = (1 − d) · label + d · teacher's probabilities, with d = `distillation` (Hinton et al. 2015,
    arXiv:1503.02531, eq. 1 at temperature 1). The teacher is `teacher`, or `start_from` (self-distillation). If the
    teacher has other classes, only the shared ones are distilled: its probabilities are renormalized over them, and
    images of other classes keep their label alone.

    Args:
        config: configuration of the training run.
        training: the training set.
        device: where the teacher's predictions are computed.

    Returns:
        (N, K) on the CPU, each row with the sum 1; None where the labels are the targets.

    Raises:
        TrainingError: there is no teacher, or it shares fewer than two classes with the dataset.
    """
    soft = None if training.targets is None else torch.from_numpy(training.targets)
    if not config.distillation:
        if config.teacher:
            raise TrainingError(f"teacher={config.teacher} has no effect: set --distillation 0.5, or leave it out.")
        return soft
    folder = config.teacher or config.start_from
    if folder is None:
        raise TrainingError(f"distillation={config.distillation} needs a trained network: give one by --teacher.")
    teacher, card = load_checkpoint(folder, device)
    shared = _shared(str(folder), card.classes, training.classes)
    if soft is None:
        soft = F.one_hot(torch.from_numpy(training.labels), len(training.classes)).float()
    predicted = predict(teacher.to(memory_format=torch.channels_last), card, training.images, "flip").softmax(-1)
    if card.classes != training.classes:
        predicted = _over_shared(predicted, soft, torch.from_numpy(training.labels), shared)
    return (1 - config.distillation) * soft + config.distillation * predicted


def _shared(teacher: str, theirs: tuple[str, ...], ours: tuple[str, ...]) -> list[tuple[int, int]]:
    """Indices of each shared class in the dataset's and in the teacher's classes."""
    shared = [(k, theirs.index(name)) for k, name in enumerate(ours) if name in theirs]
    if len(shared) < 2:
        raise TrainingError(
            f"The teacher {teacher} has the classes {', '.join(theirs)}; it shares {len(shared)} of "
            f"{', '.join(ours)} with the dataset, and two are needed: choose another teacher, or train without."
        )
    if theirs != ours:
        names = ", ".join(ours[k] for k, _ in shared)
        _log.info(f"The teacher has other classes: it is distilled over {names}; images of others keep their label.")
    return shared


def _over_shared(predicted: Tensor, soft: Tensor, labels: Tensor, shared: list[tuple[int, int]]) -> Tensor:
    """The teacher's probabilities (N, K') in the dataset's classes, (N, K), renormalized over the shared ones."""
    own, theirs = (list(indices) for indices in zip(*shared, strict=True))
    some = predicted[:, theirs]
    result = torch.zeros_like(soft)
    result[:, own] = some / some.sum(1, keepdim=True).clamp(min=1e-12)
    return torch.where(torch.isin(labels, torch.tensor(own))[:, None], result, soft)
