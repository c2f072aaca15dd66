"""Views of a whole test set: mean maps, the embedding of its features, and images that two networks classify
differently."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.checkpoints import CheckpointError, read_card, read_predictions
from models.datasets import ferplus

from ...analysis.features import nearest, penultimate_features
from ...analysis.mean_maps import MeanMap
from ...faces import Face
from ...surveys.features import FILE as FEATURES
from ...surveys.features import Features, read_features
from ...surveys.mean_maps import MeanMaps, read_mean_maps
from ..networks import folder_of, open_network


def mean_maps(name: str) -> MeanMaps:
    """The mean maps stored beside a checkpoint.

    Raises:
        CheckpointError: there are none, or they belong to other weights; the message has the command.
    """
    return read_mean_maps(name)


def of_group(found: MeanMaps, class_: int | None, correct: bool) -> MeanMap:
    """The mean map of one predicted class, or of all classes together (None), over right or wrong predictions.

    The deviation of all together has the differences between the classes' means in it.
    """
    chosen = [one for one in found.maps if one.correct == correct and class_ in (None, one.class_)]
    if class_ is not None:
        return chosen[0]
    counts = torch.tensor([float(one.count) for one in chosen])
    weights = (counts / counts.sum().clamp(min=1))[:, None, None]
    means = torch.stack([one.mean for one in chosen])
    squares = torch.stack([one.deviation.square() + one.mean.square() for one in chosen])
    mean = (weights * means).sum(0)
    deviation = ((weights * squares).sum(0) - mean.square()).clamp(min=0).sqrt()
    return MeanMap(-1, correct, int(counts.sum()), mean, deviation)


def difference(first: Tensor, second: Tensor) -> Tensor:
    """First minus second mean map, both resized to the finer of the two."""
    size = max(first.shape, second.shape)
    return _resized(first, size) - _resized(second, size)


def _resized(map_: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(map_[None, None], tuple(size), mode="bilinear", align_corners=False)[0, 0]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Features of a test set in two dimensions, N images.

    Attributes:
        points: (N, 2).
        classes: names of the classes.
        labels, predicted: index of the class of each image, (N,).
        entropy: entropy of the annotators' votes in nats, NaN where no votes are known, (N,).
        ids: ids of the images as in `FaceSet.ids`, (N,).
        part: name of the test set.
        kept: share of the variance of the features that the two dimensions keep, 0..1; NaN for t-SNE.
        face: where the current face lies, (2,); None without one.
    """

    points: Tensor
    classes: tuple[str, ...]
    labels: Tensor
    predicted: Tensor
    entropy: Tensor
    ids: np.ndarray
    part: str
    kept: float
    face: Tensor | None


def embedding(name: str, kind: str = "pca", face: Face | None = None) -> Embedding:
    """The test set's penultimate features in two dimensions, and the face among them.

    Args:
        name: a checkpoint with stored features.
        kind: "pca", the first two principal components, or "tsne", which keeps neighborhoods and no distances.
        face: shown among them: by PCA where its features lie; by t-SNE, which has no place for new points, at the mean
            of its five nearest test images.

    Raises:
        CheckpointError: there are no features, or they belong to other weights; the message has the command.
    """
    found, card = stored_features(name), read_card(name)
    stored = read_predictions(name, found.sample.part)
    places = {str(id_): i for i, id_ in enumerate(stored.ids)}
    order = [places[str(id_)] for id_ in found.test.ids if str(id_) in places]
    if len(order) < len(found.test.ids):
        raise CheckpointError(f"{name}: predictions and features are of other images. Run: ferscope evaluate {name}")
    points, kept, where = found.embedding, float("nan"), None
    query = None if face is None else _query(found, name, face)
    if kind == "pca":
        points, variance = found.test.rows[:, :2], found.training.rows.var(0)
        kept = found.projection.kept * float(variance[:2].sum() / variance.sum())
        where = None if query is None else query[:2]
    elif query is not None:
        where = points[nearest(query, found.test.rows, 5)[0]].mean(0)
    entropy = torch.from_numpy(ferplus.entropy(ferplus.votes(found.test.names)))
    predicted = stored.logits[order].argmax(1)
    return Embedding(
        points, card.classes, found.test.labels, predicted, entropy, found.test.ids, found.sample.part, kept, where
    )


@dataclass(frozen=True)
class Neighbor:
    """A training image near a face.

    Attributes:
        id: id as in `FaceSet.ids`.
        label: label of the dataset.
        votes: votes of the annotators in words; empty where they are not known.
        distance: distance between the features along the stored components.
    """

    id: str
    label: str
    votes: str
    distance: float


@dataclass(frozen=True)
class Neighbors:
    """The training images whose features are nearest to those of a face, the nearest first.

    Attributes:
        images: the neighbors.
        among: number of training images.
        kept: share of the variance of the features in the stored components, 0..1.
        typical: median distance of a test image to its nearest training image, for comparison.
    """

    images: tuple[Neighbor, ...]
    among: int
    kept: float
    typical: float


def nearest_training_faces(face: Face, network: str, count: int = 8) -> Neighbors:
    """The nearest training images of a face in the features of a network, by exact search.

    Raises:
        CheckpointError: there are no features, or they belong to other weights; the message has the command.
    """
    found, classes = stored_features(network), open_network(network).classes
    indices, distances = nearest(_query(found, network, face), found.training.rows, count)
    votes = ferplus.votes(found.training.names[indices.numpy()])
    images = (
        Neighbor(str(found.training.ids[i]), classes[int(found.training.labels[i])], ferplus.in_words(row), float(d))
        for i, row, d in zip(indices.tolist(), votes, distances, strict=True)
    )
    return Neighbors(tuple(images), len(found.training.rows), found.projection.kept, _typical(found))


@lru_cache(maxsize=8)
def _typical(found: Features) -> float:
    some = found.test.rows[:: max(1, len(found.test.rows) // 200)]
    return float(torch.cdist(some, found.training.rows).amin(1).median())


def stored_features(name: str) -> Features:
    """The features beside a checkpoint's weights, read once and again when the file changes. Raises CheckpointError."""
    path = folder_of(name) / FEATURES
    return _read(path.parent, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _read(folder: Path, stamp: int) -> Features:
    return read_features(folder)


def _query(found: Features, network: str, face: Face) -> Tensor:
    net = open_network(network)
    return found.projection(penultimate_features(net.model, net.prepare(face)))[0]
