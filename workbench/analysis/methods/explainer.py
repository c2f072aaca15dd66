"""What a record of the catalog holds: a method with its source, its idea, its cost, and what it does not prove."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from torch import Tensor

from models.text import counted

from . import perturbation
from .case import Case


class Passes(NamedTuple):
    """How often a batch goes through the network: `forward`, and `backward` for gradients."""

    forward: int
    backward: int


Cost = Literal["once", "a pass for each sample", "a pass for each map", "a pass for each window"]
Group = Literal["Gradients of a layer", "Without gradients", "Several layers", "Pixels", "Perturbation"]


@dataclass(frozen=True, eq=False)
class Explainer:
    """An explanation method with its description.

    Attributes:
        name: what `explain_with` takes; title: for a heading; paper: authors, year, where.
        idea: what it does, in one sentence; unproven: what its map does not prove, in one sentence.
        group: where lists show it.
        cost: number of forward passes; `passes` counts them, `estimate` converts them to seconds.
        samples: number of samples, where it is a pass for each sample.
        forward: forward passes besides those of `cost`; backward: backward passes.
        needs_layer: reads the maps of the layer that is given; otherwise the map has the size of the image.
        signed: the map is also negative, where there is evidence against the class; otherwise it is at least 0.
        of_class: the map depends on the target class.
    """

    name: str
    title: str
    paper: str
    idea: str
    unproven: str
    run: Callable[[Case], Tensor] = field(repr=False)
    group: Group = "Gradients of a layer"
    cost: Cost = "once"
    samples: int = 0
    forward: int = 1
    backward: int = 1
    needs_layer: bool = True
    signed: bool = False
    of_class: bool = True

    @property
    def price(self) -> str:
        """Forward passes in words."""
        if self.cost == "a pass for each sample":
            return f"{self.samples} passes"
        return counted(self.forward, "pass", "passes") if self.cost == "once" else self.cost

    def passes(self, channels: int | None, size: Sequence[int]) -> Passes:
        """How often the batch goes through the network, the pass that checks the arguments counted.

        Args:
            channels: maps of the layer, K; None for a method without a layer.
            size: (height, width) of the image.

        Raises:
            ValueError: the method goes by the maps of a layer, and their number is missing.
        """
        if self.needs_layer and (channels is None or channels < 1):
            raise ValueError(f"channels={channels}: {self.name} needs the number of maps of its layer, at least 1")
        more = {
            "once": 0,
            "a pass for each sample": self.samples,
            "a pass for each map": channels or 0,
            "a pass for each window": perturbation.window_positions(size),
        }
        return Passes(self.forward + more[self.cost], self.backward)
