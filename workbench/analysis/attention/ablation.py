"""Ablation of attention modules: the logits with some of them averaged or disabled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..model_isolation import isolated
from ..validation import require_images, require_logits
from .gates import averaged, switched_off
from .steps import attention_modules, checked_layers, on_offer

Replacement: TypeAlias = Literal["mean", "identity"]
"""What stands in place of a module: its gates at the mean of their values for each image, or its unchanged input."""


@dataclass(frozen=True, eq=False)
class SwitchedOff:
    """Logits of a network with and without some of its attention modules.

    Attributes:
        layers: names of the modules that were replaced together.
        logits: logits of the network as it is, (B, K).
        without: logits with these modules replaced, (B, K).
    """

    layers: tuple[str, ...]
    logits: Tensor
    without: Tensor

    @property
    def change(self) -> Tensor:
        """without − logits, (B, K): above 0 where the class gains without the modules."""
        return self.without - self.logits


def switch_off(
    model: nn.Module, x: Float[Tensor, "B C_in H W"], layers: str | Sequence[str], by: Replacement = "identity"
) -> SwitchedOff:
    """The logits with and without one or several attention modules, replaced together.

    The replacement holds for the caller's own forward pass only, so that predictions of a shared network that run
    beside it are not disturbed. By their input, as with `enabled = False`, the scaling of the gates is lost too, and
    later layers get larger values than in training; by their mean it is kept, and only the selection is lost. The rest
    was trained with the module in place: the change says what the module does in this network, not the value of
    attention in general.

    Args:
        model, x: the network and its input, as for `steps_of`.
        layers: names of attention modules.
        by: what stands in their place.

    Raises:
        ValueError: no layer, or the network gives no finite logits (B, K); otherwise as for `steps_of`.
    """
    names = checked_layers(model, layers)
    if not names:
        raise ValueError(f"layers=() is empty. {on_offer(model)}")
    with isolated(model):
        return SwitchedOff(names, _logits(model, x), _logits(model, x, names, by))


def switch_off_each(
    model: nn.Module,
    x: Float[Tensor, "B C_in H W"],
    layers: Sequence[str] | None = None,
    by: Replacement = "identity",
) -> tuple[SwitchedOff, ...]:
    """One row for each attention module, replaced alone, and where there are several, a last row with all of them.

    Args:
        model, x: the network and its input, as for `steps_of`.
        layers: names of attention modules; None: all. A network without attention has no row.
        by: what stands in their place, see `switch_off`.

    Raises:
        ValueError: the network gives no finite logits (B, K); a layer is missing, no attention module, or not called;
            `x` is no batch or holds NaN.
    """
    names = attention_modules(model) if layers is None else checked_layers(model, layers)
    rows = [(name,) for name in names] + ([names] if len(names) > 1 else [])
    if not rows:
        return ()
    with isolated(model):
        logits = _logits(model, x)
        return tuple(SwitchedOff(row, logits, _logits(model, x, row, by)) for row in rows)


def _logits(model: nn.Module, x: Tensor, without: Sequence[str] = (), by: Replacement = "identity") -> Tensor:
    """Logits (B, K), with the modules named in `without` replaced in this thread's pass."""
    require_images(x)
    replaced = averaged if by == "mean" else switched_off
    with replaced(model, without), torch.no_grad():
        return require_logits(model(x), x)
