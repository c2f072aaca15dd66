"""The Eigen-CAM family: the component of the package, with a sign that means something."""

from __future__ import annotations

import pytest
import torch
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection, get_2d_projection_kernel
from torch import nn

from workbench.analysis import cam
from workbench.analysis.activations import forward_from
from workbench.analysis.methods import explain_with


@pytest.mark.parametrize("name", ["eigencam", "eigengradcam", "kpcacam"])
def test_a_component_is_that_of_the_package_up_to_its_sign(net, x, name):
    A, G = cam._activations_and_gradients(forward_from(net, x, "late"), [2])
    if name == "kpcacam":
        theirs = torch.tensor(get_2d_projection_kernel(A.numpy()))
    else:
        theirs = torch.tensor(get_2d_projection((A if name == "eigencam" else A * G[:, 0]).numpy()))
    for ours, right in zip(explain_with(net, x, name, 2, "late"), theirs, strict=True):
        assert ours.max() > 0
        assert (
            min((ours - sign * right.clamp(*bounds)).abs().max() for sign, bounds in SIDES) < 1e-4 * right.abs().max()
        )


SIDES = [(1, (0, None)), (-1, (None, 0))]


@pytest.mark.parametrize("name", ["eigencam", "eigengradcam", "segeigencam", "kpcacam"])
def test_the_sign_of_a_component_does_not_depend_on_the_linear_algebra_library(net, x, name, monkeypatch):
    from sklearn.decomposition import KernelPCA

    right, svd, fit = explain_with(net, x, name, 2, "late"), torch.linalg.svd, KernelPCA.fit_transform

    def turned(*arguments, **options):
        u, s, vh = svd(*arguments, **options)
        return -u, s, -vh

    monkeypatch.setattr(torch.linalg, "svd", turned)
    monkeypatch.setattr(KernelPCA, "fit_transform", lambda *arguments: -fit(*arguments))
    torch.testing.assert_close(explain_with(net, x, name, 2, "late"), right)


@pytest.mark.parametrize("name", ["eigencam", "kpcacam"])
def test_a_component_is_positive_where_the_layer_is_active(name):
    spot = torch.zeros(1, 1, 12, 12)
    spot[..., 2:5, 7:10] = 1
    model = nn.Sequential(nn.Conv2d(1, 4, 1, bias=False), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))
    nn.init.uniform_(model[0].weight, 0.5, 2)
    assert torch.equal(explain_with(model, spot, name, 0, "0") > 1e-6, spot[:, 0] > 0)
