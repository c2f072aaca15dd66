"""The lesson on images unlike those that a network was trained on: what the maximum probability says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from models.checkpoints import read_card, read_predictions
from models.datasets.synthetic.faces import EXPRESSIONS, draw
from models.metrics import Interval, share

from ...faces import Face, read
from ..networks import Network, open_network
from .common import Symbol, symbol
from .judgements import PART

VIEWS = ("as it is", "upside down", "negative", "shuffled patches", "a cat")
"""Images that the lesson shows beside their predictions."""
FOREIGN = ("drawn faces", "no face")
"""Groups of images that FER2013 has none of."""

_PHOTOGRAPHS = ("chelsea", "coffee", "brick", "grass", "gravel", "moon", "text")  # of scikit-image, no face
_CROPS = 4  # of each photograph
_TILES, _TILE = 5, 32  # rows and columns of images that are shown, and their side in pixels
_DRAWN, _SIDE = 3, 48  # faces of each expression, and their side in pixels, as in drawn datasets
_PATCHES = 4  # rows and columns of patches that are shuffled


@dataclass(frozen=True, eq=False)
class OutOfDistribution:
    """Confidence of a network on test images and on images unlike its training images.

    Attributes:
        classes: names of the classes.
        views: name in `VIEWS` → pixels in 0..1 (S, S), and probabilities (K,).
        known: confidence on each image of PrivateTest, calibrated, (N,).
        accuracy: accuracy on PrivateTest, with its interval.
        tiles: some of the images without a face, side by side in a square and reduced, pixels in 0..1 (H, H).
        foreign: group in `FOREIGN` → confidence on each of its images, calibrated, (M,).
        separable: group → AUROC of the confidence: how often an image of PrivateTest has a higher one, 0..1.
        most_predicted: the class predicted most often for images without a face, and its share of them.
        symbols: symbols of the equations.
    """

    classes: tuple[str, ...]
    views: dict[str, tuple[Tensor, Tensor]]
    known: Tensor
    accuracy: Interval
    tiles: Tensor
    foreign: dict[str, Tensor]
    separable: dict[str, float]
    most_predicted: tuple[str, float]
    symbols: tuple[Symbol, ...]

    @property
    def without_a_face(self) -> float:
        """Mean confidence on images without a face, 0..1."""
        return float(self.foreign["no face"].mean())


def ood_confidence(face: Face, network: str) -> OutOfDistribution:
    """Confidence of a network on images unlike its training images; see `with_predictions`."""
    net, stored = open_network(network), read_predictions(network, PART)
    T = read_card(network).temperature or 1.0
    known = (stored.logits / T).softmax(-1).amax(-1)  # (N,)
    views = _views(net, face)
    no_face = torch.stack([net.pixels(Face(image)) for image in _without_a_face()])  # (M, C, S, S)
    without = net.probabilities(no_face)  # (M, K)
    drawn = net.probabilities(torch.stack([net.pixels(Face(image)) for image in _drawn_faces()]))
    foreign = dict(zip(FOREIGN, (drawn.amax(-1), without.amax(-1)), strict=True))
    counts = without.argmax(-1).bincount(minlength=len(net.classes))
    return OutOfDistribution(
        classes=net.classes,
        views=dict(zip(VIEWS, zip(views[:, 0], net.probabilities(views), strict=True), strict=True)),
        known=known,
        accuracy=share((stored.logits.argmax(-1) == stored.labels).numpy()),
        tiles=_tiled(no_face[:, 0]),
        foreign=foreign,
        separable={name: auroc(known, confidence) for name, confidence in foreign.items()},
        most_predicted=(net.classes[int(counts.argmax())], float(counts.max() / counts.sum())),
        symbols=(
            symbol("p", "probabilities for images without a face", without),
            symbol("s", "confidence on PrivateTest", known),
            symbol("s'", "confidence on images without a face", foreign["no face"]),
            symbol(r"\bar s'", "its mean", foreign["no face"].mean()),
            symbol(r"\mathrm{AUROC}", "of both", auroc(known, foreign["no face"])),
        ),
    )


def auroc(high: Tensor, low: Tensor) -> float:
    """How often a value of `high` (N,) exceeds one of `low` (M,), ties by half: 0..1, ½ by chance."""
    larger = (high[:, None] > low).double().mean() + (high[:, None] == low).double().mean() / 2
    return float(larger)


def _views(net: Network, face: Face) -> Tensor:
    """The images of `VIEWS`, pixels in 0..1, (5, C, S, S)."""
    x = net.pixels(face)
    return torch.stack([x, x.flip(-2), 1 - x, _shuffled(x), net.pixels(Face(_without_a_face()[0]))])


def _tiled(images: Tensor) -> Tensor:
    """Images (M, S, S) in a random order, as many as fit into a square of `_TILES` rows and columns."""
    shown = images[torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[: _TILES**2]]
    shown = F.interpolate(shown[:, None], (_TILE, _TILE), mode="area")[:, 0]
    return shown.unflatten(0, (_TILES, _TILES)).transpose(1, 2).flatten(2).flatten(0, 1)


def _shuffled(x: Tensor) -> Tensor:
    """An image (C, S, S) with its patches in a random order; pixels that fill no patch stay."""
    side = x.shape[-1] // _PATCHES
    patches = [(i * side, j * side) for i in range(_PATCHES) for j in range(_PATCHES)]
    order = torch.randperm(len(patches), generator=torch.Generator().manual_seed(0)).tolist()
    result = x.clone()
    for (row, column), k in zip(patches, order, strict=True):
        i, j = patches[k]
        result[:, row : row + side, column : column + side] = x[:, i : i + side, j : j + side]
    return result


@lru_cache(maxsize=1)
def _without_a_face() -> tuple[Image.Image, ...]:
    """Square crops of photographs that show no person, the first of a cat: the middle, and three corners of it."""
    found = []
    for name in _PHOTOGRAPHS:
        image = read((resources.files("skimage") / "data" / f"{name}.png").read_bytes())
        side = min(image.size)
        left, top, half = (image.width - side) // 2, (image.height - side) // 2, side // 2
        boxes = [(left, top, side), (left, top, half), (left + half, top, half), (left, top + half, half)][:_CROPS]
        found += [image.crop((x, y, x + size, y + size)) for x, y, size in boxes]
    return tuple(found)


@lru_cache(maxsize=1)
def _drawn_faces() -> tuple[Image.Image, ...]:
    """Drawn faces of all expressions."""
    images = (draw(name, _SIDE, seed).image for name in EXPRESSIONS for seed in range(_DRAWN))
    return tuple(Image.fromarray(np.asarray(image)).convert("RGB") for image in images)
