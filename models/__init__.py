"""The networks of five papers on facial-expression recognition, and what trains and measures them. PyTorch only."""

from . import architectures as _architectures  # noqa: F401  (registers every network)
from .checkpoints import Card, load_checkpoint
from .registry import PAPERS, ModelSpec, create_model, get_spec, list_models

__all__ = ["PAPERS", "Card", "ModelSpec", "create_model", "get_spec", "list_models", "load_checkpoint"]
