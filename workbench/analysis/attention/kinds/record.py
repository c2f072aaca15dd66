"""What is known of a kind of attention, and the quantities that its modules compute."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from torch import Tensor, nn

Over = Literal["positions", "channels", "singular values"]


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """One quantity that an attention module computed on a batch of B images.

    Attributes:
        layer: name of the module.
        kind: name of its kind: "CBAM", "SCA", "BAM", "SVDAttention", "AngleAttention", "TransformerBlock".
        title: what the quantity is, in a few words.
        equation: how it is computed, in LaTeX, in the symbols of the source.
        source: paper and number of the equation.
        over: what the values are spread over: "positions" (B, h, w), "channels" (B, C), "singular values" (B, n).
        values: the numbers, float, without a graph.
        unit: what one unit means; "" for a plain weight.
        limits: the lowest and the highest possible value; None where it is unbounded.
        is_weight: True where a value is the weight of its position or channel; False for an intermediate step, such as
            BAM's branches or an angle.
        pairs: attention weights of a transformer, those of each query (row) over the keys (column), each row summing to
            1, (B, N, N) with N = h·w; None elsewhere.
    """

    layer: str
    kind: str
    title: str
    equation: str
    source: str
    over: Over
    values: Tensor
    unit: str = ""
    limits: tuple[float | None, float | None] = (0.0, 1.0)
    is_weight: bool = True
    pairs: Tensor | None = None

    @property
    def spatial(self) -> bool:
        """Whether it weights spatial positions, so that it can be compared with a class activation map."""
        return self.is_weight and self.over == "positions"


Make = Callable[..., AttentionMap]
Reader = Callable[..., list[AttentionMap]]
"""(module, its steps, make) → its maps; of a transformer with `grid`, the (h, w) that its tokens were."""


class KindGate(NamedTuple):
    """A gate that every module of a kind has.

    Attributes:
        submodule: the submodule whose output it is.
        title: "gate", "channel weights", "spatial map", "self-attention".
        neutral: the constant that leaves the feature map as it is; None for self-attention, which has none.
    """

    submodule: str
    title: str
    neutral: float | None = 1.0


class Step(NamedTuple):
    """An intermediate step that is worth showing beside the gate: title of its `AttentionMap`, and a sentence."""

    title: str
    text: str


@dataclass(frozen=True, eq=False)
class AttentionKind:
    """One kind of attention module.

    Attributes:
        name: name of its class; "SE" for squeeze-and-excitation.
        label: short name, as in `ModelSpec.attention`.
        classes: its modules, as a class, or as "package.module.Class" where importing the library takes seconds.
        idea: what it weights, continuing a sentence that begins with the label.
        source: paper.
        effect: what its gate does to the feature map, a sentence.
        gates: gates of the module.
        read: makes its maps; None where there are none to show.
        steps: what is shown beside the gate.
        layout: how these are drawn: one after the other, by angle, or by head.
        page: page of the app that shows every step; "" for none.
        built_as: label of another kind that it is built as; "" for none.
    """

    name: str
    label: str
    classes: tuple[type[nn.Module] | str, ...]
    idea: str
    source: str
    effect: str
    gates: tuple[KindGate, ...]
    read: Reader | None = field(default=None, repr=False)
    steps: tuple[Step, ...] = ()
    layout: Literal["steps", "angles", "heads"] = "steps"
    page: str = ""
    built_as: str = ""

    def includes(self, module: nn.Module) -> bool:
        """Whether a module is of this kind."""
        names = {f"{parent.__module__}.{parent.__name__}" for parent in type(module).__mro__}
        return any(c in names if isinstance(c, str) else isinstance(module, c) for c in self.classes)

    @property
    def residual(self) -> bool:
        """Whether the input is added to the weighted feature map, so that the gate can only amplify."""
        return any(gate.neutral == 0 for gate in self.gates)
