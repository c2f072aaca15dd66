"""The networks of five papers on facial-expression recognition, and what trains and measures them. PyTorch only."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cards import Card
    from .checkpoints import load_checkpoint
    from .registry import PAPERS, ModelSpec, create_model, get_spec, list_models

__all__ = ["PAPERS", "Card", "ModelSpec", "create_model", "get_spec", "list_models", "load_checkpoint"]
_CHECKPOINTS = ("Card", "load_checkpoint")


def __getattr__(name: str) -> Any:
    """Import PyTorch with the first name that is used, so that modules that need none of it start at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__} has no attribute {name}")
    return getattr(import_module(".checkpoints" if name in _CHECKPOINTS else ".registry", __name__), name)
