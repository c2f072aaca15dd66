"""All that a network's attention modules computed on an image, as maps with their equations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import isqrt
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from models.layers.transformer import TransformerSteps

from .kinds import AttentionMap, kind_of
from .steps import steps_of


def attention_of(
    model: nn.Module,
    x: Float[Tensor, "B C_in H W"],
    layers: Sequence[str] | None = None,
    grid: tuple[int, int] | None = None,
) -> tuple[AttentionMap, ...]:
    """All that a network's attention modules computed on `x`, from one forward pass, in the order of the modules.

    Args:
        model, x, layers: the network, its input and the attention modules, as for `steps_of`.
        grid: (h, w) of the map whose positions are the tokens of a transformer; None: h = w = √N, for square images.

    Returns:
        The maps, several for a module; () for a network without attention.

    Raises:
        ValueError: the tokens do not fill `grid`; otherwise as for `steps_of`.
    """
    return maps_from(model, x, steps_of(model, x, layers), grid)


def maps_from(
    model: nn.Module, x: Tensor, steps_of_modules: Mapping[str, Any], grid: tuple[int, int] | None = None
) -> tuple[AttentionMap, ...]:
    """The maps of `attention_of` from the steps of each module (`steps_of`, `steps_from`), in their order."""
    maps = []
    for layer, steps in steps_of_modules.items():
        module = model.get_submodule(layer)
        kind = kind_of(module)
        if kind is None or kind.read is None:
            raise ValueError(f'layer="{layer}" is a {type(module).__name__}, which has no attention maps')
        tokens = {"grid": _grid(x, grid, steps.attention.shape[-1])} if isinstance(steps, TransformerSteps) else {}
        maps += kind.read(module, steps, partial(AttentionMap, layer, kind.name), **tokens)
    return tuple(maps)


def _grid(x: Tensor, grid: tuple[int, int] | None, tokens: int) -> tuple[int, int]:
    """Height and width of the map that the tokens were; of an image that is not square only the caller knows it."""
    side = isqrt(tokens)
    if grid is None and (side * side != tokens or x.shape[-2] != x.shape[-1]):
        raise ValueError(
            f"grid=None: {tokens} tokens of an image {x.shape[-2]} × {x.shape[-1]}. Give (h, w) of the map they were."
        )
    height, width = grid or (side, side)
    if height * width != tokens:
        raise ValueError(f"grid={grid}: the transformer has {tokens} tokens, so h · w has to be {tokens}")
    return height, width
