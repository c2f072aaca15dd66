"""The smallest type for a network's weights with which the browser gives the workbench's results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models.checkpoints import CheckpointError
from models.datasets import DataError, FaceSet
from models.datasets.splits import split
from models.paths import FER2013
from models.preprocessing import to_unit, with_channels

from ...faces import load_sample, samples
from ..networks import Network
from .errors import WebDemoError
from .onnx_files import MISSING, STORAGES, Storage, names_of, stored, to_onnx
from .tracing import Traced, computed, trace

MOST_POINTS = 0.2
"""Difference of accuracy from float32 that is accepted, in percentage points."""

MOST_OF_PROBABILITY = 0.01
"""Largest difference of a calibrated probability from PyTorch that is accepted."""

MOST_OF_MAP = 1e-3
"""Largest difference of a map from PyTorch's that is accepted, as a share of the largest value of all its classes."""

Progress = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Measured:
    """A network with weights stored in one type, compared with PyTorch.

    Attributes:
        storage: the type.
        data: the ONNX file.
        probability: largest difference of a probability from PyTorch, over the sample faces.
        map: the same of a class activation or attention map; 0 without maps.
        accuracy: on the validation set (PublicTest), 0..1; None: not measured.
        points: difference of `accuracy` from that in float32, in percentage points; None: not measured.
    """

    storage: Storage
    data: bytes
    probability: float
    map: float
    accuracy: float | None = None
    points: float | None = None

    @property
    def refused(self) -> str:
        """Why it is not used; "" where it may be used."""
        if not self.probability <= MOST_OF_PROBABILITY:
            return f"probabilities differ by more than {MOST_OF_PROBABILITY:g}"
        if not self.map <= MOST_OF_MAP:
            return f"maps differ by more than {MOST_OF_MAP:g}"
        if self.points is None:
            return "its accuracy is not measured" if self.storage == "int8" else ""
        return f"accuracy differs by {MOST_POINTS} points or more" if not abs(self.points) < MOST_POINTS else ""


@dataclass(frozen=True, eq=False)
class Exported:
    """A network for the browser.

    Attributes:
        traced: the recorded network.
        tried: all types, the smallest first.
        used: the one that is written.
        images: number of validation images on which accuracy was measured; 0: none is imported.
    """

    traced: Traced
    tried: tuple[Measured, ...]
    used: Measured
    images: int


def export_network(net: Network, wanted: Storage | None = None, progress: Progress = lambda _: None) -> Exported:
    """Record a network, store its weights in each type, compare each with PyTorch, and choose one.

    Args:
        net: with trained weights.
        wanted: the type to use in any case; None: the smallest that is not `refused`.
        progress: called with a line of text before a measurement that takes a minute.

    Raises:
        WebDemoError: the network cannot be exported, or no type gives PyTorch's results.
    """
    traced = trace(net)
    model = to_onnx(traced, net.name)
    files = {storage: stored(model, storage) for storage in STORAGES}
    pixels, labels = _validation_set(net)
    if len(labels):
        progress(f"{net.name}: measuring accuracy on {len(labels)} validation images")
    accuracies = {s: _accuracy(data, pixels, labels) for s, data in files.items()} if len(labels) else {}
    tried = tuple(_measured(net, traced, storage, files[storage], accuracies) for storage in STORAGES)
    used = next((found for found in tried if found.storage == wanted or (not wanted and not found.refused)), None)
    if used is None:
        raise WebDemoError(f"{net.name}: ONNX Runtime does not give PyTorch's results, {tried[-1].refused}.")
    return Exported(traced, tried, used, len(labels))


def _measured(
    net: Network, traced: Traced, storage: Storage, data: bytes, accuracies: dict[Storage, float]
) -> Measured:
    run = session(data)
    probability, worst_map = 0.0, 0.0
    for sample in samples():
        pixels = net.pixels(load_sample(sample.name))[None]
        expected, found = computed(net, pixels)[0], run(pixels.numpy(), names_of(traced))
        shares = [net.calibrated(torch.as_tensor(logits)) for logits in (expected[0], found[0])]
        probability = max(probability, float((shares[0] - shares[1]).abs().max()))
        for wanted, got in zip(expected[1:], found[1:], strict=True):
            worst_map = max(worst_map, _difference(wanted, torch.as_tensor(got)))
    accuracy = accuracies.get(storage)
    points = None if accuracy is None else 100 * (accuracy - accuracies["fp32"])
    return Measured(storage, data, probability, worst_map, accuracy, points)


def _difference(wanted: Tensor, got: Tensor) -> float:
    """Largest difference as a share of the largest value."""
    return float((wanted - got).abs().max() / wanted.abs().max().clamp_min(1e-12))


def session(data: bytes) -> Callable[[np.ndarray, tuple[str, ...]], list[np.ndarray]]:
    """A function (pixels, names of outputs) → outputs that runs an ONNX file with ONNX Runtime, on one thread."""
    try:
        import onnxruntime
    except ImportError as error:
        raise WebDemoError(MISSING.format(name=error.name)) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    opened = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    only = onnxruntime.RunOptions()
    only.only_execute_path_to_fetches = True
    return lambda pixels, names: [np.asarray(out) for out in opened.run(list(names), {"pixels": pixels}, only)]


def _validation_set(net: Network) -> tuple[Tensor, np.ndarray]:
    """Pixels (N, C, S, S) and labels of the validation set of imported FER2013; empty where it does not fit or is
    missing."""
    none = torch.zeros(0), np.zeros(0, int)
    if net.card is None or not FER2013.is_file():
        return none
    with suppress(DataError, CheckpointError, ValueError):
        faces = FaceSet.load(FER2013)
        if faces.classes == net.classes:
            found = split(faces, net.card.split).validation
            pixels = to_unit(torch.as_tensor(found.images), net.input_size)
            return with_channels(pixels, net.channels), np.asarray(found.labels)
    return none


def _accuracy(data: bytes, pixels: Tensor, labels: np.ndarray) -> float:
    """Share of images whose predicted class is their label, one view each."""
    run = session(data)
    predicted = [run(x[None].numpy(), ("logits",))[0].argmax() for x in pixels]
    return float((np.array(predicted) == labels).mean())
