"""Maps of several layers, and parts of one layer, against pytorch-grad-cam."""

from __future__ import annotations

import numpy as np
import pytest
import pytorch_grad_cam as reference
import torch
from pytorch_grad_cam.feature_factorization.deep_feature_factorization import dff
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

import models
from workbench.analysis.activations import forward_from
from workbench.analysis.methods import explain_with


@pytest.mark.parametrize(("name", "engine"), [("averagedcam", reference.GradCAM), ("refinecam", reference.RefineCAM)])
def test_fused_maps_are_those_of_the_package_for_the_last_layer_of_each_size(name, engine):
    torch.manual_seed(0)
    model, x = models.create_model("vanilla_cnn", width=4).eval(), torch.randn(1, 1, 24, 24)
    model.classifier.weight.data *= 1e4  # the package adds 1e-7 to the largest value of a map
    layers = [model.block1, model.block2, model.block3, model.block4]  # 24, 12, 6 and 3 positions a side
    right = engine(model, layers)(x, [ClassifierOutputTarget(2)])
    ours = explain_with(model, x, name, 2)
    assert ours.max() > 0
    np.testing.assert_allclose(scale_cam_image(ours.numpy()), right, atol=1e-5)


def test_a_network_without_maps_is_refused_by_fused_methods():
    with pytest.raises(ValueError, match="No layer of this network has maps"):
        explain_with(nn.Sequential(nn.Flatten(), nn.Linear(144, 2)), torch.randn(1, 1, 12, 12), "averagedcam", 0)


def test_factorization_adds_up_the_parts_of_the_package_along_which_the_logit_rises(net, x):
    found = forward_from(net, x[:1], "late")
    A = found.A.detach()
    (G,) = torch.autograd.grad(found.logits[0, 2], found.A)
    concepts, maps = dff(A.numpy().copy(), 5)
    W = torch.as_tensor(concepts) - A[0].amin((1, 2))[:, None]
    weights = (G[0].mean((1, 2)) @ W).relu()
    right = torch.einsum("r,rhw->hw", weights, torch.as_tensor(maps[0]))
    assert right.max() > 0
    torch.testing.assert_close(explain_with(net, x[:1], "feature_factorization", 2, "late")[0], right)
