"""Attention maps of a network for one face, and its prediction without attention modules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from models import get_spec
from models.checkpoints import CheckpointError, read_card

from ..analysis import attention, cam
from ..analysis.attention import AttentionKind, AttentionMap, Replacement
from ..faces import Face
from .networks import DEFAULT_NETWORK, Network, network_names, open_network
from .prediction import Prediction, infer, predict_input


@dataclass(frozen=True, eq=False)
class Module:
    """One attention module on one face.

    Attributes:
        layer: name of the module in the network.
        kind: what kind of attention it is.
        maps: what it computed, each for a batch of one, in the order of its steps; with equations and sources.
    """

    layer: str
    kind: AttentionKind
    maps: tuple[AttentionMap, ...]

    @property
    def gate(self) -> AttentionMap:
        """The final spatial weights; of a transformer block, the rollout over its heads."""
        return [found for found in self.maps if found.spatial][-1]

    @property
    def heads(self) -> tuple[AttentionMap, ...]:
        """One map for each head of a transformer block; () elsewhere."""
        return tuple(found for found in self.maps[:-1] if found.pairs is not None)

    def named(self, title: str) -> AttentionMap:
        """One of its maps by its title; KeyError where there is none."""
        return {found.title: found for found in self.maps}[title]


@dataclass(frozen=True, eq=False)
class AttentionModules:
    """All attention modules of one network on one face.

    Attributes:
        prediction: the predicted class with its probabilities.
        pixels: input of the network in 0..1, (S, S).
        modules: attention modules in the order of the forward pass; () for a network without attention.
    """

    prediction: Prediction
    pixels: Tensor
    modules: tuple[Module, ...]

    def over_face(self, map_: Tensor) -> Tensor:
        """A spatial map (h, w) resized to the image (bilinear), (S, S); not for angles."""
        return cam.resize(map_, self.pixels.shape)


def attention_modules(face: Face, network: str = DEFAULT_NETWORK) -> AttentionModules:
    """Everything that each attention module of a network computes on a face.

    Raises:
        ValueError: unknown network.
    """
    net = open_network(network)
    pixels, x = net.shown_and_input(face)
    found = infer(net, x)
    modules = [(layer, tuple(own)) for layer, own in groupby(found.attention, key=lambda found: found.layer)]
    return AttentionModules(
        found.prediction, pixels, tuple(Module(layer, attention.kind_named(own[0].kind), own) for layer, own in modules)
    )


@dataclass(frozen=True, eq=False)
class Rollout:
    """Attention rollout of a vision transformer on one face.

    Attributes:
        prediction: prediction of the same network for the same face.
        pixels: luminance of its input in 0..1, (S, S).
        blocks: number of transformer blocks.
        values: share of the output's attention that each patch receives, summing to at most 1, (h, w).
    """

    prediction: Prediction
    pixels: Tensor
    blocks: int
    values: Tensor

    @property
    def over_face(self) -> Tensor:
        """The shares resized to the image (bilinear), (S, S)."""
        return cam.resize(self.values, self.pixels.shape)


def attention_rollout(face: Face, network: str) -> Rollout | None:
    """Attention rollout of a network of at least two blocks over one grid of patches; None for any other.

    Raises:
        ValueError: unknown network.
    """
    net = open_network(network)
    pixels, x = net.shown_and_input(face)
    blocks = len(attention.attention_weights(net.model, x))
    if blocks < 2:
        return None
    try:
        values = attention.rollout_of(net.model, x, net.spec.reshape)[0]
    except ValueError:  # attention in windows, or of tokens that are no patches
        return None
    return Rollout(predict_input(net, x), pixels, blocks, values)


def networks_with_attention() -> tuple[str, ...]:
    """Networks whose attention modules can be opened, the most accurate ones first, the untrained ones last."""
    found = (name for name in network_names() if get_spec(name).attention_layers)
    return tuple(sorted(found, key=_accuracy, reverse=True))


def default_network_with_attention() -> str:
    """The most accurate trained network with attention modules to open; an untrained one where none is trained."""
    return networks_with_attention()[0]


def _accuracy(name: str) -> float:
    try:
        return list(read_card(name).metrics.values())[-1]["plain"]["accuracy"]
    except (CheckpointError, IndexError):
        return 0.0


@dataclass(frozen=True, eq=False)
class Ablation:
    """Logits and probabilities of a network with and without some of its attention modules.

    Attributes:
        off: names of the modules that were replaced; () for none.
        classes: names of the classes.
        logits, without: uncalibrated, with all modules and without those of `off`, (K,).
        probabilities, probabilities_without: the same, calibrated by the card's temperature, (K,).
    """

    off: tuple[str, ...]
    classes: tuple[str, ...]
    logits: Tensor
    without: Tensor
    probabilities: Tensor
    probabilities_without: Tensor

    @property
    def predicted(self) -> str:
        """The most probable class with all modules."""
        return self.classes[int(self.logits.argmax())]

    @property
    def predicted_without(self) -> str:
        """The most probable class without those of `off`."""
        return self.classes[int(self.without.argmax())]

    @property
    def largest_change(self) -> tuple[str, float]:
        """The class whose logit changes most, and by how much: above 0 where it gains without the modules."""
        change = self.without - self.logits
        index = int(change.abs().argmax())
        return self.classes[index], float(change[index])


def ablation(face: Face, network: str, off: Sequence[str], by: Replacement = "mean") -> Ablation:
    """Logits of a network when all attention modules named in `off` are replaced, see `switch_off`.

    The network that all visitors share is not changed: the modules are replaced for this forward pass only.

    Raises:
        ValueError: unknown network, or a name that is none of its attention modules.
    """
    net = open_network(network)
    x = net.prepare(face)
    if not off:
        logits = net.logits(x)
        return _ablation(net, attention.SwitchedOff((), logits, logits))
    return _ablation(net, attention.switch_off(net.model, x, off, by))


def ablation_each(face: Face, network: str, by: Replacement = "mean") -> tuple[Ablation, ...]:
    """Each attention module replaced alone, in order, and where there are several, a last row with all of them."""
    net = open_network(network)
    rows = attention.switch_off_each(net.model, net.prepare(face), net.spec.attention_layers, by)
    return tuple(_ablation(net, row) for row in rows)


def _ablation(net: Network, found: attention.SwitchedOff) -> Ablation:
    both = torch.cat([found.logits, found.without]).float()  # (2, K)
    return Ablation(found.layers, net.classes, *both, *net.calibrated(both))


@dataclass(frozen=True, eq=False)
class CamCorrelation:
    """Rank correlation of attention maps with class activation maps of one face.

    Attributes:
        maps: the spatial attention maps.
        classes: names of the classes.
        predicted: the predicted class.
        correlation: rank correlation of each with the Grad-CAM of each class, −1..1, NaN beside a blank one, (maps, K).
        cam_size: (height, width) of the class activation maps.
    """

    maps: tuple[AttentionMap, ...]
    classes: tuple[str, ...]
    predicted: str
    correlation: Tensor
    cam_size: tuple[int, int]

    @property
    def extent(self) -> tuple[float, float] | None:
        """The lowest and the highest of all correlations; None where every map is blank."""
        known = self.correlation[~self.correlation.isnan()]
        return (float(known.min()), float(known.max())) if len(known) else None


def cam_correlation(face: Face, network: str) -> CamCorrelation:
    """Rank correlation of a network's spatial attention with its class activation maps (Jain and Wallace 2019).

    Raises:
        ValueError: unknown network, or one without attention or without a layer for maps.
    """
    net = open_network(network)
    found = infer(net, net.prepare(face), net.spec.cam_layer)
    maps = tuple(m for m in found.attention if m.spatial)
    if not maps or found.activations is None:
        raise ValueError(f'network="{network}" has no spatial attention maps to compare with class activation maps')
    cams = cam.atlas_of(found.activations, ("gradcam",))[:, 0]  # (1, K, h, w)
    correlation = attention.correlation_with_cams([m.values for m in maps], cams)[:, 0]
    height, width = cams.shape[-2:]
    return CamCorrelation(maps, net.classes, found.prediction.predicted, correlation, (height, width))


@dataclass(frozen=True, eq=False)
class Branches:
    """The output of each class branch, and the logits without it; networks of paper B, K classes.

    Attributes:
        classes: names of the classes.
        strength: length of each branch's output, at least 0, (K,).
        change: logits (columns) without the output of one branch (rows), less the logits as they are, (K, K).
    """

    classes: tuple[str, ...]
    strength: Tensor
    change: Tensor

    @property
    def own(self) -> tuple[str, ...]:
        """Classes whose logit drops more than any other when their own branch is removed."""
        return tuple(name for k, name in enumerate(self.classes) if int(self.change[k].argmin()) == k)


def branches(face: Face, network: str) -> Branches | None:
    """Contribution of each class branch to the logits for a face; None for a network without class branches."""
    net = open_network(network)
    if not net.spec.class_branches:
        return None
    shares = attention.class_branches(net.model, net.prepare(face))
    return Branches(net.classes, shares.strength[0], shares.change[0])
