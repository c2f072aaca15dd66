"""Predictions of several networks for one face, and the similarity of their maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain

import torch
from torch import Tensor

from models.checkpoints import CheckpointError, read_card
from models.datasets import EMOTIONS

from ..analysis import attention, cam
from ..faces import Face
from .explain import Explanation, explain
from .networks import DEFAULT_NETWORK, folder_of, is_trained
from .svd import LITE0, PAPER_D

SCALES = ("all classes", "this class", "all networks")
"""What the maximum that gets the brightest color of a map is taken over."""


@dataclass(frozen=True, eq=False)
class MapPair:
    """Two networks of a comparison.

    Attributes:
        first, second: names of the networks.
        correlation: rank correlation of their maps, −1..1.
        agree: whether they give the same prediction.
    """

    first: str
    second: str
    correlation: float
    agree: bool


@dataclass(frozen=True, eq=False)
class Comparison:
    """Predictions of several networks for one face.

    Attributes:
        explanations: one for each network, in the order of `networks`.
        networks: names of the networks.
        class_: target class of the maps.
        maps: Grad-CAM of that class by each network, in the unit of its own logit, resized to the largest image,
            (n, S, S); zeros for a network without a layer for maps.
        correlation: rank correlation of every two maps, −1..1, NaN beside a blank one, (n, n).
        agree: whether all give the same prediction.
    """

    networks: tuple[str, ...]
    explanations: tuple[Explanation, ...]
    class_: str
    maps: Tensor
    correlation: Tensor
    agree: bool

    @property
    def shared_classes(self) -> tuple[str, ...]:
        """Classes that every network has, in the order of the first."""
        return _shared(self.explanations)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes that any network has, each once."""
        return tuple(dict.fromkeys(name for e in self.explanations for name in e.prediction.classes))

    @property
    def probabilities(self) -> Tensor:
        """Calibrated probability of each of `classes` by each network, NaN where it has no such class, (n, K)."""
        found = [dict(zip(e.prediction.classes, e.prediction.probabilities, strict=True)) for e in self.explanations]
        return torch.tensor([[float(shares.get(name, torch.nan)) for name in self.classes] for shares in found])

    @property
    def untrained(self) -> tuple[str, ...]:
        """Networks with random weights, whose predictions mean nothing."""
        return tuple(n for n, e in zip(self.networks, self.explanations, strict=True) if not e.prediction.trained)

    @property
    def by_prediction(self) -> dict[str, tuple[str, ...]]:
        """Predicted class → trained networks that predict it, the largest group first."""
        by_prediction: dict[str, tuple[str, ...]] = {}
        for network, explanation in zip(self.networks, self.explanations, strict=True):
            if explanation.prediction.trained:
                predicted = explanation.prediction.predicted
                by_prediction[predicted] = (*by_prediction.get(predicted, ()), network)
        return dict(sorted(by_prediction.items(), key=lambda group: -len(group[1])))

    @property
    def pairs(self) -> tuple[MapPair, ...]:
        """Every two trained networks with maps that are not flat, the most similar first."""
        n = range(len(self.networks))
        trained = [i for i in n if self.networks[i] not in self.untrained]
        found = [self._pair(i, j) for i in trained for j in trained if i < j and not self.correlation[i, j].isnan()]
        return tuple(sorted(found, key=lambda pair: -pair.correlation))

    def _pair(self, i: int, j: int) -> MapPair:
        predicted = {self.explanations[k].prediction.predicted for k in (i, j)}
        return MapPair(self.networks[i], self.networks[j], float(self.correlation[i, j]), len(predicted) == 1)

    def tops(self, over: str) -> Tensor:
        """What counts as the strongest value of each network's map, in the unit of its own logit, (n,).

        Args:
            over: one of `SCALES`. "all classes": the strongest of all the network's classes, so that a weak map stays
                weak; "this class": the strongest of this one map; "all networks": the strongest of all these maps.
        """
        own = self.maps.amax((1, 2))
        if over == "all networks":
            return own.max().expand(len(own))
        pairs = zip(self.explanations, own, strict=True)
        return torch.stack([e.maps().max() if over == "all classes" and e.layer else top for e, top in pairs])

    def difference(self, first: str, second: str, over: str) -> Tensor:
        """The map of one network less that of another, each as a share of its `tops`, −1..1, (S, S)."""
        shares = self.maps / self.tops(over).clamp_min(1e-12)[:, None, None]
        return shares[self.networks.index(first)] - shares[self.networks.index(second)]

    def of(self, class_: str) -> Comparison:
        """The same networks and predictions with the maps of another class; ValueError if one lacks the class."""
        return _joined(self.networks, self.explanations, class_)


Explainer = Callable[[Face, str], Explanation]


def compare(
    face: Face, networks: Sequence[str], class_: str | None = None, explainer: Explainer | None = None
) -> Comparison:
    """Predictions of several networks for a face, and their maps for one class side by side (figure 9 of paper D).

    Args:
        face: the face.
        networks: two or more names.
        class_: target class of the maps; None: the first network's prediction, or where another lacks that, the first
            class of all.
        explainer: explains a face by one network; None: `explain`. A caller with a cache passes its own.

    Raises:
        ValueError: fewer than two networks, an unknown one, or a class that one of them does not have.
    """
    if len(networks) < 2:
        raise ValueError(f"networks={list(networks)}: name two networks or more to compare")
    found = tuple((explainer or explain)(face, name) for name in networks)
    shared = _shared(found)
    if not shared:
        raise ValueError(f"networks={list(networks)}: they have no class in common")
    predicted = found[0].prediction.predicted
    return _joined(tuple(networks), found, class_ or (predicted if predicted in shared else shared[0]))


def comparable(first: str, others: Sequence[str]) -> tuple[str, ...]:
    """Those of some networks that have a class in common with the first."""
    own = _classes(first)
    return tuple(name for name in others if own & _classes(name))


def _classes(network: str) -> set[str]:
    """Names of a network's classes, without loading its weights."""
    with suppress(CheckpointError):
        return set(read_card(folder_of(network)).classes)
    return set(EMOTIONS)  # random weights


def side_by_side() -> tuple[str, ...]:
    """Networks to compare at first: the default one, and each backbone that is trained with an attention module too."""
    pairs = [(plain, module) for module, plain in (PAPER_D | LITE0).items() if is_trained(plain) and is_trained(module)]
    return tuple(dict.fromkeys((DEFAULT_NETWORK, *chain.from_iterable(pairs))))


def _joined(networks: tuple[str, ...], found: tuple[Explanation, ...], class_: str) -> Comparison:
    if class_ not in _shared(found):
        raise ValueError(f'class_="{class_}" is not one of those that all have: {", ".join(_shared(found))}')
    side = max(len(e.pixels) for e in found)
    maps = torch.stack(
        [cam.resize(e.map_of(class_), (side, side)) if e.layer else torch.zeros(side, side) for e in found]
    )  # (n, S, S)
    correlation = attention.correlation_with_cams(list(maps[:, None]), maps[None])[:, 0]
    agree = len({e.prediction.predicted for e in found}) == 1
    found = tuple(replace(e, class_=class_) for e in found)
    return Comparison(networks, found, class_, maps, correlation, agree)


def _shared(found: tuple[Explanation, ...]) -> tuple[str, ...]:
    return tuple(name for name in found[0].mapped if all(name in e.mapped for e in found))
