"""Methods that weigh maps: as the atlas and as the package draw them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import pytorch_grad_cam as reference
import torch
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputReST, ClassifierOutputTarget
from torch import Tensor, nn

from workbench.analysis import cam
from workbench.analysis.methods import explain_with


@pytest.mark.parametrize("name", cam.METHODS)
def test_the_six_methods_of_the_atlas_draw_what_the_atlas_draws(net, x, name):
    for size in (None, (17, 20)):
        right = cam.atlas(net, x, "late", (name,), [2], size)[:, 0, 0]
        assert right.max() > 0
        torch.testing.assert_close(explain_with(net, x, name, 2, "late", size), right)


def stretched(maps: Tensor) -> np.ndarray:
    return scale_cam_image(scale_cam_image(maps.numpy()))


ENGINES = {
    "finercam": reference.FinerCAM,
    "shapleycam": reference.ShapleyCAM,
    "segeigencam": reference.SegEigenCAM,
    "fem": reference.FEM,
    "scorecam": reference.ScoreCAM,
    "ablationcam": reference.AblationCAM,
    "fullgrad": reference.FullGrad,
}


def library_map(model: nn.Module, x: Tensor, name: str, class_: int) -> np.ndarray:
    """The map that the package draws, on a copy that it may explain_with_fault."""
    model = copy.deepcopy(model)
    with ENGINES[name](model, [] if name == "fullgrad" else [model.late]) as draw:
        if name == "finercam":
            return draw(x, target_idx=class_)
        target = ClassifierOutputReST if name == "shapleycam" else ClassifierOutputTarget
        return draw(x, [target(class_)] * len(x))


@pytest.mark.parametrize("name", ENGINES)
def test_a_map_is_that_of_the_package_before_it_is_stretched(net, x, name):
    del net.unused  # the package would wait for the gradient of its bias
    net.sidetrack = nn.Identity()
    with torch.no_grad():
        net.head.bias += 2  # the package divides by the logit
    drawn = 0
    for class_ in range(5):
        ours = explain_with(net, x, name, class_, "late")
        np.testing.assert_allclose(stretched(ours), library_map(net, x, name, class_), atol=2e-5)
        drawn += int(ours.amax((1, 2)).gt(0).sum())
    assert drawn > 7  # of 15


def test_random_weights_are_the_same_at_every_call_and_leave_the_generators_alone(net, x):
    np.random.seed(5)
    torch.manual_seed(5)
    first = explain_with(net, x, "randomcam", 1, "late")
    after = np.random.random(), torch.rand(1).item()
    torch.testing.assert_close(explain_with(net, x, "randomcam", 1, "late"), first)
    np.random.seed(5)
    torch.manual_seed(5)
    assert after == (np.random.random(), torch.rand(1).item())
