"""What every method is given: a network of its own, and one forward pass of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import ModuleType, SimpleNamespace

import numpy as np
import torch
from torch import Tensor, nn

from ..layouts import Layout

CHUNK = 16
"""Images in one call of the network: more take memory, fewer take time."""


@dataclass(frozen=True, eq=False)
class Case:
    """What a method is given: a network of its own, which it may hook and change, and one forward pass of it.

    Attributes:
        model: a copy of the network in evaluation mode, which shares its weights.
        x: images (B, C_in, H, W), float32, or float64 where they were given so.
        class_: index of the target class.
        logits: (B, number of classes); with a layer, computed from `activation`.
        y: logits of the target class, (B,).
        layer: name of the target layer; "" for none.
        activation: feature maps of the layer, (B, K, h, w); None without a layer.
        layout: where the maps are in the output of the layer; None without a layer.
    """

    model: nn.Module
    x: Tensor
    class_: int
    logits: Tensor
    y: Tensor
    layer: str = ""
    activation: Tensor | None = None
    layout: Layout | None = None

    @property
    def A(self) -> Tensor:  # noqa: N802  (the papers' symbol)
        """The maps of the layer, (B, K, h, w); ValueError where the method was not given a layer."""
        if self.activation is None:
            raise ValueError("layer=None: this method reads the maps of a layer. Give the name of a convolutional one.")
        return self.activation

    def gradient(self, score: Tensor | None = None, create_graph: bool = False) -> Tensor:
        """G = ∂score/∂A (B, K, h, w), for a score of each image, (B,); None: the logit of the class."""
        score = self.y if score is None else score
        return torch.autograd.grad([score], [self.A], [torch.ones_like(score)], create_graph=create_graph)[0]

    def weighted(self, weights: np.ndarray | Tensor) -> Tensor:
        """Σ_k w_k A^k of weights (B, K): (B, h, w)."""
        A = self.A.detach()
        return torch.einsum("bk,bkhw->bhw", torch.as_tensor(weights).to(A), A)

    @property
    def maps(self) -> np.ndarray:
        """A for a library that reads NumPy."""
        return self.A.detach().cpu().numpy()


@cache
def library() -> ModuleType:
    """pytorch-grad-cam, without the bar that Score-CAM draws on the terminal for every image."""
    import pytorch_grad_cam
    from pytorch_grad_cam import score_cam

    score_cam.tqdm = SimpleNamespace(tqdm=iter)  # ty: ignore[invalid-assignment]
    return pytorch_grad_cam
