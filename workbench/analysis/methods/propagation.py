"""Methods that propagate the logit back to the pixels by rules of their own for each layer: DeepLIFT and LRP."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

from .case import Case
from .coverage import SHAPES, Rules

_LINEAR_WITHOUT_A_RULE = (nn.Flatten, nn.Unflatten, nn.Identity, nn.Dropout2d, nn.BatchNorm1d)

_LINEAR = {
    *("Add", "Sub", "Sum", "Mean", "Convolution", "Addmm", "Mm", "NativeBatchNorm", "CudnnBatchNorm"),
    *("AvgPool2D", "AdaptiveAvgPool2D"),
}  # names of gradient functions


def deeplift(case: Case) -> Tensor:
    """DeepLIFT with the rescale rule, (B, H, W): differences from the baseline 0, plain gray; they add up to the
    logit's gain."""
    from captum.attr import DeepLift

    model = _out_of_place(case.model)
    _of_deeplift().require(model, case.x)
    with torch.enable_grad(), ExitStack() as hooks:
        for (
            module
        ) in model.modules():  # captum mistakes the gradients of two activations in a row without a step between
            if type(module) in _of_deeplift().modules:
                hooks.enter_context(module.register_forward_pre_hook(lambda _module, inputs: inputs[0].clone()))
        # In a Sequential: captum hands the outermost module image and baseline as one tuple.
        maps = DeepLift(nn.Sequential(model)).attribute(case.x.clone().requires_grad_(), target=case.class_)
    return maps.detach().sum(1)


def lrp(case: Case) -> Tensor:
    """LRP with rule ε in every layer, (B, H, W)."""
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import EpsilonRule

    model = _out_of_place(case.model)
    _of_lrp().require(model, case.x)
    ruled = _of_lrp().modules
    for module in cast(Any, model.modules()):
        if not list(module.children()) and (type(module) in _LINEAR_WITHOUT_A_RULE or type(module) not in ruled):
            module.rule = EpsilonRule()  # right for linear layers; others are never called here
    with torch.enable_grad():
        relevance = LRP(model).attribute(case.x.clone().requires_grad_(), target=case.class_)
    return cast(Tensor, relevance).detach().sum(1)


def _out_of_place(model: nn.Module) -> nn.Module:
    """The network, the method's own, without in-place activations, which backward hooks do not allow."""
    for module in cast(Any, model.modules()):
        if getattr(module, "inplace", False):
            module.inplace = False
    return model


@cache
def _of_deeplift() -> Rules:
    """All that is linear, and the activations that captum knows."""
    from captum.attr._core.deep_lift import SUPPORTED_NON_LINEAR

    activations = tuple(SUPPORTED_NON_LINEAR)
    return Rules("deeplift", activations, activations, SHAPES | _LINEAR)


@cache
def _of_lrp() -> Rules:
    """Layers that captum has a rule for; a sum of two branches outside of them would count both in full."""
    from captum.attr._core.lrp import SUPPORTED_LAYERS_WITH_RULES, SUPPORTED_NON_LINEAR_LAYERS

    layers = (*SUPPORTED_LAYERS_WITH_RULES, *_LINEAR_WITHOUT_A_RULE)
    # Behind a functional ReLU, a value of 0 has no relevance that its gradient could remove.
    return Rules("lrp", (*layers, *SUPPORTED_NON_LINEAR_LAYERS), layers, SHAPES | {"Relu"})
