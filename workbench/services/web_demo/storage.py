"""The smallest type for a network's weights with which the browser gives the workbench's results."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

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
from .tracing import Traced, computed, planes, trace

MOST_POINTS = 0.2
"""Difference of accuracy from PyTorch's that is accepted, in percentage points."""

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
        accuracy: accuracy on the validation set (PublicTest), 0..1; None: not measured.
        points: difference of `accuracy` from that of PyTorch in the network's card, in percentage points; None: not
            measured.
    """

    storage: Storage
    data: bytes
    probability: float
    map: float
    accuracy: float | None = None
    points: float | None = None

    @property
    def differs(self) -> str:
        """How the results for the samples differ too much; "" where they do not."""
        if not self.probability <= MOST_OF_PROBABILITY:
            return f"probabilities differ by more than {MOST_OF_PROBABILITY:g}"
        return "" if self.map <= MOST_OF_MAP else f"maps differ by more than {MOST_OF_MAP:g}"

    @property
    def refused(self) -> str:
        """Why it is not used; "" where it may be used."""
        if self.differs:
            return self.differs
        if self.points is None:
            return "its accuracy is not measured" if self.storage == "int8" else ""
        return "" if abs(self.points) < MOST_POINTS else f"accuracy differs by {MOST_POINTS} points or more"


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

    Accuracy is measured for a type that gives PyTorch's results for the samples, until one is chosen.

    Args:
        net: a network with trained weights.
        wanted: the type to use in any case; None: the smallest that is not `refused`.
        progress: called with a line of text before a measurement that takes a minute.

    Raises:
        WebDemoError: the network cannot be exported, or no type gives PyTorch's results.
    """
    traced = trace(net)
    model = to_onnx(traced, net.name)
    tried = [_compared(net, traced, storage, stored(model, storage)) for storage in STORAGES]
    pixels, labels, before = _validation_set(net)
    for i, found in enumerate(tried):
        if wanted not in (None, found.storage) or (found.differs and not wanted):
            continue
        if len(labels):
            progress(f"{net.name}: measuring accuracy in {found.storage} on {len(labels)} validation images")
            accuracy = _accuracy(found.data, pixels, labels)
            found = tried[i] = replace(found, accuracy=accuracy, points=100 * (accuracy - before))
        if wanted or not found.refused:
            return Exported(traced, tuple(tried), found, len(labels))
    raise WebDemoError(f"{net.name}: ONNX Runtime does not give PyTorch's results, {tried[-1].refused}.")


def _compared(net: Network, traced: Traced, storage: Storage, data: bytes) -> Measured:
    """The results for the samples beside PyTorch's, without an accuracy."""
    run = session(data)
    probability, worst_map = 0.0, 0.0
    for sample in samples():
        pixels = net.pixels(load_sample(sample.name))[None]
        expected, found = computed(net, pixels)[0], run(pixels.numpy(), names_of(traced))
        shares = [net.calibrated(torch.as_tensor(logits)) for logits in (expected[0], found[0])]
        probability = max(probability, float((shares[0] - shares[1]).abs().max()))
        for wanted, got in zip(expected[1:], found[1:], strict=True):
            worst_map = max(worst_map, _difference(wanted, torch.as_tensor(got)))
    return Measured(storage, data, probability, worst_map)


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
    options.log_severity_level = 3  # errors
    opened = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    only = onnxruntime.RunOptions()
    only.only_execute_path_to_fetches = True
    return lambda pixels, names: [np.asarray(out) for out in opened.run(list(names), {"pixels": pixels}, only)]


def _validation_set(net: Network) -> tuple[Tensor, np.ndarray, float]:
    """Pixels (N, 1 or 3, S, S) and labels of the validation set of imported FER2013, and the accuracy on it by the
    network's card; nothing where that set is missing or another one."""
    if net.card is not None and FER2013.is_file():
        with suppress(DataError, CheckpointError, KeyError, ValueError):
            faces = FaceSet.load(FER2013)
            parts = split(faces, net.card.split)
            accuracy = net.card.metrics[parts.names[0]]["plain"]["accuracy"]
            if faces.classes == net.classes:
                pixels = to_unit(torch.as_tensor(parts.validation.images), net.input_size)
                return with_channels(pixels, planes(net)), np.asarray(parts.validation.labels), accuracy
    return torch.zeros(0), np.zeros(0, int), 0.0


def _accuracy(data: bytes, pixels: Tensor, labels: np.ndarray) -> float:
    """Share of images whose predicted class is their label, one view each."""
    run = session(data)
    predicted = [run(x[None].numpy(), ("logits",))[0].argmax() for x in pixels]
    return float((np.array(predicted) == labels).mean())
