"""Singular values of a face, SVD attention step by step, and its effect on accuracy."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import Tensor

from models import get_spec
from models.checkpoints import CheckpointError
from models.layers.svd_attention import SVDAttentionSteps
from models.metrics import Interval, share

from ..analysis import attention, svd
from ..analysis.progress import advance
from ..faces import Face, load_sample, samples
from .attention import networks_with_attention
from .metrics.evaluation import StoredPredictions, stored_predictions
from .metrics.leaderboard import cards
from .metrics.paired_tests import pair
from .networks import DEFAULT_NETWORK, open_network


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Singular values of a network's input, and its rank-k approximation.

    Attributes:
        pixels: the image in 0..1, (S, S).
        sigma: singular values, largest first, (S,).
        energy: share of the variance of the pixels that the first 1, 2, … terms keep, 0..1, (S,): 1 less the squared
            error of the approximation over that of the image's mean, which the first term would else be credited with.
        k: number of terms kept.
        approximation: the image of rank k, cut to 0..1, (S, S).
        term: the k-th term alone, σ_k u_k v_kᵀ, (S, S).
    """

    pixels: Tensor
    sigma: Tensor
    energy: Tensor
    k: int
    approximation: Tensor
    term: Tensor


def spectrum(face: Face, network: str = DEFAULT_NETWORK, k: int = 8) -> Spectrum:
    """Singular values of a network's input, its rank-k approximation and its k-th rank-1 component."""
    return spectrum_of(open_network(network).see(face), k)


def spectrum_of(pixels: Tensor, k: int = 8) -> Spectrum:
    """The same for pixels in 0..1, (S, S)."""
    sigma = svd.singular_spectrum(pixels)
    u, _, v = svd.rank_one_terms(pixels, k)  # (k, S) each
    term = sigma[k - 1] * u[-1, :, None] * v[-1]
    error = sigma.square().flip(0).cumsum(0).flip(0)[1:]  # of the first 1, 2, … terms
    variance = (pixels - pixels.mean()).square().sum().clamp(min=torch.finfo(torch.float32).tiny)
    energy = torch.cat([1 - error / variance, torch.ones(1)]).clamp(0, 1)
    return Spectrum(pixels, sigma, energy, k, svd.rank_k(pixels, k).clamp(0, 1), term)


@dataclass(frozen=True, eq=False)
class RankPredictions:
    """Predictions of a network for low-rank approximations of a face.

    Attributes:
        classes: names of the classes.
        ranks: 1, 2, … S, (S,).
        probabilities: probabilities for the image of each rank, (S, K).
        whole: probabilities for the whole face, (K,).
        trained: False for random weights.
    """

    classes: tuple[str, ...]
    ranks: Tensor
    probabilities: Tensor
    whole: Tensor
    trained: bool

    @property
    def enough(self) -> int:
        """The rank from which on the prediction is that for the full image."""
        same = self.probabilities.argmax(1) == self.whole.argmax()
        wrong = (~same).nonzero()
        return int(wrong[-1]) + 2 if len(wrong) else 1


def rank_predictions(face: Face, network: str = DEFAULT_NETWORK) -> RankPredictions:
    """Predictions of a network for the rank-1, rank-2, … rank-S approximations of a face."""
    net = open_network(network)
    found = svd.response_to_rank(lambda p: net.probabilities(p[:, None]), net.see(face))
    return RankPredictions(net.classes, found.ranks, found.predictions, found.whole, net.trained)


def svd_networks() -> tuple[str, ...]:
    """Networks with SVD attention, the most accurate ones first, the untrained ones last."""
    return tuple(name for name in networks_with_attention() if get_spec(name).attention == "SVD")


def memory_account(side: int = 112, batch: int = 32) -> attention.MemoryAccount:
    """What comparing maps pixel by pixel, or by their singular values, costs in memory."""
    return attention.memory_account(side, batch)


def svd_attention(face: Face, network: str, layer: str) -> SVDAttentionSteps:
    """Every step of one SVD attention module on a face, tensors of a batch of one; errors as for `svd_steps`."""
    net = open_network(network)
    return attention.svd_steps(net.model, net.prepare(face), layer)


def gate_spread(network: str, layer: str) -> Tensor:
    """How far a gate of SVD attention differs between the samples: largest less smallest value, 0..1, (H, W)."""
    found = []
    for sample in samples():
        found.append(svd_attention(load_sample(sample.name), network, layer).a[0, 0])
        advance(1)
    gates = torch.stack(found)
    return gates.amax(0) - gates.amin(0)


@dataclass(frozen=True, eq=False)
class Gain:
    """Accuracy gained by a module, ours beside the paper's; shares of 1, None where it was not run.

    Attributes:
        network, plain: the network with the module, and the one without.
        normalize: an option of the network that differs from its own default: singular values divided by the largest.
        accuracy, plain_accuracy: accuracy of the two on PrivateTest, single view, with 95 % interval.
        other_seeds: accuracy of the network's other training runs of the same recipe, by seed.
        difference: difference of their accuracies on the same images, with its interval.
        reported: the paper's difference in accuracy, which follows from its rows; it prints balanced accuracy. None for
            a network that is not in the paper.
    """

    network: str
    plain: str
    accuracy: Interval | None
    plain_accuracy: Interval | None
    difference: Interval | None
    reported: float | None
    normalize: bool = False
    other_seeds: tuple[float, ...] = ()


PAPER_D = {
    "resnet18_bam": "resnet18",
    "resnet18_svd_hfc": "resnet18",
    "mobilenet_v2_bam": "mobilenet_v2",
    "mobilenet_v2_svd_hfc": "mobilenet_v2",
}
"""The comparison of paper D: networks with a module, and the one without."""

NORMALIZED = {"resnet18_svd_hfc_normalized": "resnet18", "mobilenet_v2_svd_hfc_normalized": "mobilenet_v2"}
"""The same for SVD attention with singular values divided by the largest, which is ours."""


LITE0 = {"efficientnet_lite0_bam": "efficientnet_lite0", "efficientnet_lite0_svd_hfc": "efficientnet_lite0"}
"""The same modules on EfficientNet-Lite0, which is ours."""


def gains() -> tuple[Gain, ...]:
    """What BAM, SVD attention and its normalized variant brought on FER2013, here and in paper D; by backbone."""
    compared = sorted((PAPER_D | NORMALIZED).items(), key=lambda pair: pair[1] != "resnet18")  # a stable sort
    rows = [_gain(network, plain) for network, plain in (*compared, *LITE0.items())]
    return (*rows, _gain("efficientnet_lite0_svd_hfc", "efficientnet_lite0", normalize=True))


def _gain(network: str, plain: str, normalize: bool = False) -> Gain:
    with_module, without = (get_spec(name).reported.get("accuracy on FER2013") for name in (network, plain))
    reported = None if with_module is None or without is None else with_module - without
    own, baseline = _trained_alike(_stored(network, normalize), _stored(plain))
    accuracy, plain_accuracy = (None if not ones else _accuracy(ones[0]) for ones in (own, baseline))
    difference = None
    if own and baseline:
        with suppress(CheckpointError):  # predictions for different images
            difference = pair(own[0].name, baseline[0].name).accuracy
    seeds = tuple(_accuracy(one)[0] for one in own[1:])
    return Gain(network, plain, accuracy, plain_accuracy, difference, reported, normalize, seeds)


def _accuracy(one: StoredPredictions) -> Interval:
    return share((one.logits.argmax(-1) == one.labels).numpy())


def _trained_alike(
    own: list[StoredPredictions], baseline: list[StoredPredictions]
) -> tuple[list[StoredPredictions], list[StoredPredictions]]:
    """The runs of both by the first recipe and number of epochs that they share, else by the baseline's first."""

    def training(one: StoredPredictions) -> tuple[str, int]:
        return one.card.recipe, one.card.epochs

    shared = [training(one) for one in baseline if training(one) in map(training, own)]
    wanted = shared or [training(one) for one in baseline]
    return [one for one in own if training(one) in wanted[:1]], [one for one in baseline if training(one) in wanted[:1]]


def _stored(network: str, normalize: bool = False) -> list[StoredPredictions]:
    """Stored predictions of a network: of its own checkpoint, then of its runs by seed, all of the official split."""
    options = {"normalize": True} if normalize else {}
    mine = {n: c for n, c in cards().items() if (c.network, c.split, c.overrides) == (network, "official", options)}
    found = []
    for name in sorted(mine, key=lambda name: (name != network, mine[name].seed)):
        with suppress(CheckpointError):
            found.append(stored_predictions(name))
    return found
