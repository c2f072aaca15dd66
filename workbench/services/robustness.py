"""Robustness to perturbations and occlusion, for one face and over a test set."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from models import list_models
from models.checkpoints import CheckpointError

from ..analysis import robustness as robustness_analysis
from ..analysis.corruptions import CORRUPTIONS
from ..analysis.robustness import Response
from ..faces import Face
from ..surveys.robustness import FILE, LIMIT, Robustness, read_robustness
from .networks import DEFAULT_NETWORK, Network, class_index, folder_of, open_network
from .prediction import predict_input

SCORES = ("probability", "logit")
"""What occlusion measures of a class."""


def robustness(face: Face, network: str, corruption: str) -> Response:
    """Predictions for a face under one of `CORRUPTIONS`, at each of its values."""
    net = open_network(network)
    if corruption not in CORRUPTIONS:
        known = ", ".join(CORRUPTIONS)
        raise ValueError(f'corruption="{corruption}" is not known; there are: {known}')
    return robustness_analysis.response(net.probabilities, net.see(face), CORRUPTIONS[corruption])


@dataclass(frozen=True)
class Tip:
    """How much perturbation in one direction changes the prediction.

    Attributes:
        kept: the value farthest from the neutral one up to which every prediction is the first one.
        value: the next value, in the corruption's unit; None where the prediction never changed.
        predicted: index of the class that is predicted there; None as for `value`.
        share: probability of that class, 0..1; None as for `value`.
    """

    kept: float
    value: float | None = None
    predicted: int | None = None
    share: float | None = None


def tips(found: Response) -> tuple[Tip, ...]:
    """Where the prediction for a face first changes, below and above the neutral value, if there are values.

    Only the values of the corruption were measured: the prediction changes somewhere between `kept` and `value`, and
    may change back and forth in between.
    """
    neutral = CORRUPTIONS[found.corruption].neutral
    start = found.values.tolist().index(neutral)
    sides = (range(start, -1, -1), range(start, len(found.values)))
    return tuple(_tip(found, side) for side in sides if len(side) > 1)


def _tip(found: Response, side: range) -> Tip:
    predicted, values = found.probabilities.argmax(1).tolist(), found.values.tolist()
    for before, i in pairwise(side):
        if predicted[i] != predicted[side[0]]:
            return Tip(values[before], values[i], predicted[i], float(found.probabilities[i, predicted[i]]))
    return Tip(values[side[-1]])


def occlusion(
    face: Face,
    network: str = DEFAULT_NETWORK,
    class_: str | None = None,
    share: float = 0.25,
    score: str = SCORES[0],
) -> Tensor:
    """Drop of a class's score where a patch covers the face, (S, S).

    Args:
        face: the face.
        network: name of the network.
        class_: name of the class; None: the predicted class.
        share: side of the patch as a share of the image's side.
        score: one of `SCORES`; a probability near 0 or 1 hides changes of the logit.

    Raises:
        ValueError: an unknown network, class or score.
    """
    if score not in SCORES:
        raise ValueError(f'score="{score}" is not known; there are: {", ".join(SCORES)}')
    net = open_network(network)
    pixels = net.see(face)
    index = class_index(net, class_ or predict_input(net, net.normalized(pixels[None])).predicted)
    patch, stride = _patch(net, share)
    predict = net.probabilities if score == "probability" else lambda pixels: net.logits(net.normalized(pixels))
    return robustness_analysis.occlusion(predict, pixels, index, patch, stride)


def occlusion_patch(network: str, share: float = 0.25) -> tuple[int, int]:
    """Side of the occluding patch and its stride, in pixels of the network's input."""
    return _patch(open_network(network), share)


def _patch(net: Network, share: float) -> tuple[int, int]:
    patch = max(1, int(net.input_size * share))
    return patch, max(1, patch // 3)


def occlusion_count(network: str, share: float = 0.25) -> int:
    """Number of forward passes of `occlusion`."""
    net = open_network(network)
    patch, stride = _patch(net, share)
    return (-(-(net.input_size - patch) // stride) + 1) ** 2 + 2


@lru_cache(maxsize=64)
def pace(network: str) -> float:
    """Seconds of a forward pass of one image on this computer: the fastest of a few, measured once."""
    net = open_network(network)
    blank = torch.zeros(2, 1, net.input_size, net.input_size)
    net.probabilities(blank)  # the first call loads and allocates
    return min(_seconds(net, blank) for _ in range(3)) / len(blank)


def _seconds(net: Network, pixels: Tensor) -> float:
    started = time.perf_counter()
    net.probabilities(pixels)
    return time.perf_counter() - started


# ---- over a test set


@dataclass(frozen=True, eq=False)
class Survey:
    """What was measured of a network over a test set.

    Attributes:
        network: name of the network.
        trained: whether there is a checkpoint that could be measured.
        found: curves of accuracy; None where none are stored.
        fault: why stored curves cannot be used; None where nothing is wrong.
    """

    network: str
    trained: bool
    found: Robustness | None
    fault: str | None = None


def surveys() -> tuple[Survey, ...]:
    """The stored curves of every network (`ferscope robustness`), those without any too; nothing is measured."""
    return tuple(map(survey, list_models()))


def survey(network: str) -> Survey:
    """The stored curves of one network, or of a checkpoint with a name of its own."""
    return _survey(network, _stamps(network))


def _stamps(network: str) -> tuple[float, ...]:
    """When the files that a survey depends on were written; one that is missing has 0."""
    files = (folder_of(network) / name for name in (FILE, "model.safetensors"))
    return tuple(file.stat().st_mtime if file.is_file() else 0.0 for file in files)


@lru_cache(maxsize=256)
def _survey(network: str, stamps: tuple[float, ...]) -> Survey:
    measured, trained = (stamp > 0 for stamp in stamps)
    if not measured:
        return Survey(network, trained, None)
    try:
        return Survey(network, trained, read_robustness(folder_of(network)))
    except CheckpointError as error:
        return Survey(network, trained, None, str(error))


def survey_minutes(network: str, pictures: int = LIMIT, corruptions: tuple[str, ...] = ()) -> float:
    """About how long `ferscope robustness` takes on this computer's CPU, for some corruptions or for all."""
    values = [len(CORRUPTIONS[name].values) - 1 for name in corruptions or CORRUPTIONS]  # the neutral one once
    return pictures * (1 + sum(values)) * pace(network) / 60
