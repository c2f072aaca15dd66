"""The catalog: every method with its paper, its idea, its cost, and what its map does not prove."""

from __future__ import annotations

from .explainer import Explainer
from .image_catalog import IMAGE_METHODS
from .layer_catalog import LAYER_METHODS

_LIST = [*LAYER_METHODS, *IMAGE_METHODS]

EXPLAINERS: dict[str, Explainer] = {explainer.name: explainer for explainer in _LIST}

GROUPS: dict[str, tuple[str, ...]] = {
    group: tuple(e.name for e in _LIST if e.group == group) for group in dict.fromkeys(e.group for e in _LIST)
}
"""Names of the methods by group, in the order in which lists show them."""
