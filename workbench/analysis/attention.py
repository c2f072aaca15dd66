"""What the network's own attention modules compute on a picture.

An attention module knows its steps by itself (`models.layers`); what is missing from outside is the map that reaches
it. One forward pass brings that map; the module is then asked once more, alone. Nothing of the network is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import get_ident

import torch
from jaxtyping import Float
from torch import Tensor, nn

from models.layers.svd_attention import SVDAttention, SVDAttentionSteps

from .borrow import borrowed
from .checks import require_finite


def input_of(model: nn.Module, x: Float[Tensor, "B C_in H W"], layer: str) -> Float[Tensor, "B C h w"]:
    """The map (B, C, h, w) that reaches a layer when the network is shown `x`; of several calls, the last.

    Raises:
        ValueError: there is no such layer, it is not called, or `x` holds NaN.
    """
    require_finite(x, "x")
    module = _module(model, layer)
    thread, found = get_ident(), []

    def take(_module: nn.Module, inputs: tuple) -> None:
        if get_ident() == thread:  # not the input of a prediction that runs beside this one
            found[:] = inputs[:1]

    with borrowed(model), torch.no_grad(), module.register_forward_pre_hook(take):
        model(x)
        if not found:
            raise ValueError(f'layer="{layer}" is not called in the forward pass')
        return found[0].clone()


def svd_steps(model: nn.Module, x: Float[Tensor, "B C_in H W"], layer: str) -> SVDAttentionSteps:
    """Every step of one SVD attention module of a network that is shown `x`, equations 1 to 9 of paper D.

    Raises:
        ValueError: the layer is no `SVDAttention`; otherwise as for `input_of`.
    """
    module = _module(model, layer)
    if not isinstance(module, SVDAttention):
        raise ValueError(f'layer="{layer}" is a {type(module).__name__}, not an SVDAttention')
    arrives = input_of(model, x, layer)
    with torch.no_grad():
        return module.steps(arrives)


def _module(model: nn.Module, layer: str) -> nn.Module:
    try:
        return model.get_submodule(layer)
    except AttributeError:
        raise ValueError(f'layer="{layer}" is not in this network') from None


@dataclass(frozen=True)
class MemoryAccount:
    """Bytes of float32 that comparing two maps of one channel takes, in three readings of paper D's section 3.

    Attributes:
        side, batch: the maps are side × side, `batch` of them.
        kronecker_picture: the Kronecker product of eq. 4 for one picture, (side²)² numbers.
        kronecker_batch: the same for each picture of the batch.
        kronecker_over_batch: taken over the batch as well, (batch · side²)² numbers. This is the paper's 600.25.
        outer_picture: the outer product of the singular values instead (eq. 8), side² numbers.
        outer_batch: the same for each picture of the batch.
    """

    side: int
    batch: int
    kronecker_picture: int
    kronecker_batch: int
    kronecker_over_batch: int
    outer_picture: int
    outer_batch: int


def memory_account(side: int = 112, batch: int = 32) -> MemoryAccount:
    """What the two products cost; raises ValueError where `side` or `batch` is below 1."""
    if side < 1 or batch < 1:
        raise ValueError(f"side={side}, batch={batch}: both must be at least 1")
    places = side**2
    return MemoryAccount(
        side=side,
        batch=batch,
        kronecker_picture=4 * places**2,
        kronecker_batch=4 * places**2 * batch,
        kronecker_over_batch=4 * (places * batch) ** 2,
        outer_picture=4 * places,
        outer_batch=4 * places * batch,
    )
