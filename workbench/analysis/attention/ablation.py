"""Ablation of attention modules: the logits with some of them disabled."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from threading import get_ident

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..model_isolation import isolated
from ..validation import require_images, require_logits
from .steps import attention_modules, checked_layers, on_offer


@dataclass(frozen=True, eq=False)
class SwitchedOff:
    """Logits of a network with and without some of its attention modules.

    Attributes:
        layers: names of the modules that were switched off together.
        logits: of the network as it is, (B, K).
        without: with these modules returning their input, (B, K).
    """

    layers: tuple[str, ...]
    logits: Tensor
    without: Tensor

    @property
    def change(self) -> Tensor:
        """without − logits, (B, K): above 0 where the class gains when the modules are off."""
        return self.without - self.logits


def switch_off(model: nn.Module, x: Float[Tensor, "B C_in H W"], layers: str | Sequence[str]) -> SwitchedOff:
    """The logits with and without one or several attention modules, switched off together.

    A module that is off returns its input, as with `enabled = False`; here that holds for the caller's own forward
    pass only, so that predictions of a shared network that run beside it are not disturbed. The rest was trained with
    the module in place: the change says what the module does in this network, not the value of attention in general.

    Args:
        model, x: as for `steps_of`.
        layers: names of attention modules.

    Raises:
        ValueError: no layer, or the network gives no finite logits (B, K); otherwise as for `steps_of`.
    """
    names = checked_layers(model, layers)
    if not names:
        raise ValueError(f"layers=() is empty. {on_offer(model)}")
    with isolated(model):
        return SwitchedOff(names, _logits(model, x), _logits(model, x, names))


def switch_off_each(
    model: nn.Module, x: Float[Tensor, "B C_in H W"], layers: Sequence[str] | None = None
) -> tuple[SwitchedOff, ...]:
    """One row for each attention module, switched off alone, and where there are several, a last row with all of them.

    Args:
        model, x: as for `steps_of`.
        layers: names of attention modules; None: all. A network without attention has no row.

    Raises:
        ValueError: as for `switch_off`.
    """
    names = attention_modules(model) if layers is None else checked_layers(model, layers)
    rows = [(name,) for name in names] + ([names] if len(names) > 1 else [])
    if not rows:
        return ()
    with isolated(model):
        logits = _logits(model, x)
        return tuple(SwitchedOff(row, logits, _logits(model, x, row)) for row in rows)


def _logits(model: nn.Module, x: Tensor, off: Sequence[str] = ()) -> Tensor:
    """Logits (B, K), with the modules named in `off` returning their input in this thread's pass."""
    require_images(x)
    thread = get_ident()

    def return_input(_module: nn.Module, inputs: tuple, _output: Tensor) -> Tensor | None:
        return inputs[0] if get_ident() == thread else None

    with isolated(model), torch.no_grad(), ExitStack() as hooks:
        for name in off:
            hooks.enter_context(model.get_submodule(name).register_forward_hook(return_input))
        return require_logits(model(x), x)
