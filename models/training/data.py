"""The images of a split on the training device, and how a batch is made of them.

The whole dataset is held on the device as uint8 (FER2013: 83 MB) and augmented there, so that no step waits for files.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torchvision.transforms.v2 import MixUp

from ..datasets.sampling import balanced_order, class_aware
from ..datasets.splits import Parts
from ..preprocessing import normalize, to_unit, with_channels
from ..registry import channels_of
from .config import TrainConfig


class DeviceData:
    """Training, validation and test set on one device.

    Args:
        config: configuration of the training run.
        parts: the three sets.
        size: side in pixels of the network's input.
        targets: class probabilities to train towards, (N, K); None: the labels.
        device: where the images are kept and augmented.

    Attributes:
        sets: images, uint8 (N, H, W), and labels, (N,), of "training", "validation" and "test".
        ids: names of the training images, (N,).
        mean, std: mean and standard deviation of the training pixels in 0..1.
        batch_size: number of images in a step over all processes, at most the size of the training set.
        steps: number of steps in an epoch; the last, incomplete batch is dropped.
    """

    def __init__(
        self, config: TrainConfig, parts: Parts, size: int, targets: Tensor | None, device: torch.device
    ) -> None:
        self.config, self.size, self.device = config, size, device
        self.sets = {
            name: (torch.from_numpy(part.images).to(device), torch.from_numpy(part.labels).to(device))
            for name, part in (("training", parts.training), ("validation", parts.validation), ("test", parts.test))
        }
        self.ids = parts.training.ids
        self.channels = channels_of(config.model, config.overrides)
        self.mean, self.std = parts.training.pixel_statistics()
        self.targets = None if targets is None else targets.to(device)  # (N, K)
        self.augment = class_aware(config.augmentation, config.rare_augmentation, parts.training.class_counts)
        self.mixup = MixUp(alpha=config.mixup, num_classes=len(parts.training.classes)) if config.mixup else None
        self.batch_size = min(config.batch_size, len(parts.training))
        self.steps = len(parts.training) // self.batch_size

    def input_size(self, epoch: int) -> int:
        """Side in pixels of the training images in an epoch, counted from 1: progressive resizing."""
        sizes = (*self.config.growing_sizes, self.size)
        return sizes[(epoch - 1) * len(sizes) // self.config.epochs]

    def batches(self) -> list[Tensor]:
        """Indices of the training images of each step of an epoch, shuffled or balanced by class; each (batch_size,).

        Drawn on the CPU, so that they are the same on every device and process.
        """
        _, labels = self.sets["training"]
        balanced = self.config.sampling == "balanced"
        order = balanced_order(labels.cpu()) if balanced else torch.randperm(len(labels))
        return list(order.to(self.device).split(self.batch_size)[: self.steps])

    def training_batch(self, indices: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Augmented, normalized inputs (B, C, size, size), targets (B,) or (B, K), and labels (B,) of training images.

        With mixup, the label is that of the image with the larger weight.
        """
        images, labels = self.sets["training"]
        y = labels[indices]  # (B,)
        augmented = self.augment(to_unit(images[indices], size), y)
        x = normalize(with_channels(augmented, self.channels), self.mean, self.std)
        targets = y if self.targets is None else self.targets[indices]  # (B,) or (B, K)
        if self.mixup:
            x, targets = self.mixup(x, targets)
            y = targets.argmax(-1)
        return x.contiguous(memory_format=torch.channels_last), targets, y

    def inference_batches(self, name: str, share: slice) -> Iterator[Tensor]:
        """Normalized inputs (B, C, S, S) of a set in `sets`, without augmentation, up to 64 at a time.

        Args:
            name: "training", "validation" or "test".
            share: the images of this process.
        """
        images, _ = self.sets[name]
        for some in images[share].split(64):
            x = normalize(with_channels(to_unit(some, self.size), self.channels), self.mean, self.std)
            yield x.contiguous(memory_format=torch.channels_last)
