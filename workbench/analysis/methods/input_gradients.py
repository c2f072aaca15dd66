"""Gradient methods that need no layer: their map has the pixels of the image."""

from __future__ import annotations

from contextlib import ExitStack

import torch
from torch import Tensor, nn

from models.seeding import seeded

from .case import CHUNK, Case, library

STEPS = 50
"""Number of steps on the path of integrated gradients; captum's default."""


def fullgrad(case: Case) -> Tensor:
    """FullGrad, (B, H, W). Biases are paired with their gradients by call; pytorch-grad-cam pairs them by the order of
    construction."""
    x, calls = case.x.clone().requires_grad_(), []

    def keep(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        calls.append((layer, output))
        return output.clone()  # an in-place operation may follow

    with torch.enable_grad(), ExitStack() as hooks:
        for layer in filter(_has_bias, case.model.modules()):
            hooks.enter_context(layer.register_forward_hook(keep))
        y = case.model(x)[:, case.class_].sum()
    at_input, *grads = torch.autograd.grad(y, [x, *(output for _, output in calls)], allow_unused=True)
    used = [(layer, grad.cpu().numpy()) for (layer, _), grad in zip(calls, grads, strict=True) if grad is not None]
    engine = library().FullGrad(nn.Linear(1, 1), [])  # for its formulas; it needs some network
    engine.bias_data = [engine.get_bias_data(layer).cpu().numpy() for layer, _ in used]
    engine.activations_and_grads.gradients = [torch.from_numpy(grad) for _, grad in used]
    x.grad = torch.zeros_like(x) if at_input is None else at_input
    return torch.as_tensor(engine.compute_cam_per_layer(x, None, False)[:, 0]).to(case.x)


def _has_bias(layer: nn.Module) -> bool:
    """Whether the package sees a bias; a batch-norm without statistics of its own has no fixed bias."""
    if type(layer) not in (nn.Conv2d, nn.BatchNorm2d):
        return False
    return layer.bias is not None and getattr(layer, "running_mean", layer.bias) is not None


def integrated_gradients(case: Case) -> Tensor:
    """The gradient integrated along the straight path from the baseline 0, plain gray, to the image: (B, H, W)."""
    from captum.attr import IntegratedGradients

    steps = IntegratedGradients(case.model).attribute(
        case.x, target=case.class_, n_steps=STEPS, internal_batch_size=max(CHUNK, len(case.x))
    )
    return steps.detach().sum(1)  # (B, H, W)  over the channels


NOISY = 50
"""Noisy images of SmoothGrad; the paper has 50."""


def smoothgrad(case: Case) -> Tensor:
    """|mean gradient| over noisy images, the largest of the channels, as the paper draws it: (B, H, W).

    The noise has 15 % of the image's range as its standard deviation, within the paper's 10 to 20 %.
    """
    from captum.attr import NoiseTunnel, Saliency

    method, maps = NoiseTunnel(Saliency(case.model)), []
    for x in case.x[:, None]:  # one by one: each with noise of its own size, the same at each call
        with seeded(0):
            found = method.attribute(
                x,
                nt_type="smoothgrad",
                nt_samples=NOISY,
                nt_samples_batch_size=CHUNK,
                stdevs=0.15 * float(x.max() - x.min()),
                target=case.class_,
                abs=False,
            )
        maps.append(found[0].abs().amax(0))
    return torch.stack(maps).detach()
