"""Gradient methods that weight the feature maps of a layer, or each position of them, and sum them."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import cam
from .case import Case, library


def of_cam(method: str, case: Case) -> Tensor:
    """One of the six of `cam`, from the gradient of the case: (B, h, w)."""
    return cam.join(method, case.A.detach(), case.gradient()[:, None])[:, 0]


def finercam(case: Case) -> Tensor:
    """Finer-CAM, (B, h, w): Grad-CAM whose target is Σ_d p_d (y^c − y^d) / Σ_d p_d over the three classes d with the
    logits nearest to y^c."""
    from pytorch_grad_cam.utils.model_targets import FinerWeightedTarget

    distance = (case.logits - case.y[:, None]).abs().detach()
    distance[:, case.class_] = -1  # first in the order, also where another class has the same logit
    rivals = distance.argsort(1)[:, 1:4].tolist()  # (B, ≤ 3)
    if not rivals[0]:
        raise ValueError("model has one class: finercam compares with others. Choose another method.")
    with torch.enable_grad():
        targets = [FinerWeightedTarget(case.class_, others, 1) for others in rivals]
        score = torch.stack([target(y) for target, y in zip(targets, case.logits, strict=True)])  # (B,)
    return cam.join("gradcam", case.A.detach(), case.gradient(score)[:, None])[:, 0]


def shapleycam(case: Case) -> Tensor:
    """ShapleyCAM, (B, h, w): the score is the paper's, y^c + log p^c; y^c alone is often linear behind the layer,
    which leaves Grad-CAM."""
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputReST

    engine = library().ShapleyCAM(case.model, [])
    try:
        with torch.enable_grad():
            G = case.gradient(ClassifierOutputReST(case.class_)(case.logits), create_graph=True)
            return case.weighted(engine.get_cam_weights(case.x, None, None, case.A, G))
    except RuntimeError as error:
        if "derivative" not in str(error) and "differentiate" not in str(error):
            raise
        raise ValueError(
            f'layer="{case.layer}": shapleycam needs second derivatives, and something behind this layer has none '
            f"({error}). Choose a layer behind it, or another method."
        ) from error


def fem(case: Case) -> Tensor:
    """FEM, (B, h, w), as pytorch-grad-cam computes it; it reads the activations alone."""
    found = library().FEM(case.model, []).get_cam_image(case.x, None, None, case.maps, None, False)
    return torch.as_tensor(found).to(case.A)


def randomcam(case: Case) -> Tensor:
    """RandomCAM, (B, h, w): weights uniform in −1..1, from a generator of its own: NumPy's global one would give each
    call another map."""
    weights = torch.rand(case.A.shape[1], generator=torch.Generator().manual_seed(0)) * 2 - 1
    return case.weighted(weights.expand(len(case.x), -1))
