"""Which methods there are, what each says of itself, and how often it asks."""

from __future__ import annotations

import inspect

import pytest
import pytorch_grad_cam as reference
import torch
from torch import Tensor, nn

from workbench.analysis import cam, methods
from workbench.analysis.methods import EXPLAINERS, GROUPS, Passes, explain_with

pytestmark = pytest.mark.usefixtures("few_samples")

NAMES = tuple(EXPLAINERS)


THEIR_NAMES = {
    "GradCAM": "gradcam",
    "GradCAMPlusPlus": "gradcam++",
    "XGradCAM": "xgradcam",
    "HiResCAM": "hirescam",
    "LayerCAM": "layercam",
    "GradCAMElementWise": "elementwise",
    "FinerCAM": "finercam",
    "ShapleyCAM": "shapleycam",
    "EigenCAM": "eigencam",
    "EigenGradCAM": "eigengradcam",
    "SegEigenCAM": "segeigencam",
    "KPCA_CAM": "kpcacam",
    "FEM": "fem",
    "ScoreCAM": "scorecam",
    "AblationCAM": "ablationcam",
    "RandomCAM": "randomcam",
    "FullGrad": "fullgrad",
    "RefineCAM": "refinecam",
    "DeepFeatureFactorization": "feature_factorization",
}


HELPERS = {"AblationLayer", "AblationLayerVit", "AblationLayerFasterRCNN", "ActivationsAndGradients"}


def test_every_method_of_the_package_is_in_the_catalog_or_left_out_with_a_reason():
    theirs = {name for name, thing in vars(reference).items() if inspect.isclass(thing)} - HELPERS
    left_out = theirs - THEIR_NAMES.keys()
    assert set(THEIR_NAMES.values()) <= EXPLAINERS.keys()
    assert all(f"    {name}  " in methods.__doc__ for name in left_out), left_out
    others = {"averagedcam", "integrated_gradients", "smoothgrad", "deeplift", "lrp"}
    others |= {"occlusion", "rise", "lime", "kernelshap"}
    assert EXPLAINERS.keys() - set(THEIR_NAMES.values()) == others


def test_every_explainer_is_described():
    for name, explainer in EXPLAINERS.items():
        assert explainer.name == name
        assert explainer.title
        assert explainer.paper
        assert explainer.idea.endswith(".")
        assert explainer.unproven.endswith(".")
    assert set(cam.METHODS) < EXPLAINERS.keys()
    assert {name for group in GROUPS.values() for name in group} == EXPLAINERS.keys()
    assert {name for name in NAMES if EXPLAINERS[name].signed} == {
        *("integrated_gradients", "deeplift", "lrp", "occlusion", "lime", "kernelshap")
    }
    assert {name for name in NAMES if EXPLAINERS[name].backward == 0} == {
        *("eigencam", "kpcacam", "fem", "scorecam", "ablationcam", "randomcam", "occlusion"),
        *("rise", "lime", "kernelshap"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_map_depends_on_the_class_where_the_catalog_says_so(net, x, name):
    one, other = (explain_with(net, x, name, class_, "late") for class_ in (1, 3))
    assert torch.equal(one, other) != EXPLAINERS[name].of_class


@pytest.mark.parametrize("name", NAMES)
def test_the_passes_counted_beforehand_are_the_passes_made(net, x, name):
    forward, backward = 0, 0

    def count(_module: nn.Module, inputs: tuple, logits: Tensor) -> None:
        nonlocal forward
        if inputs[0].is_meta:
            return
        forward += len(inputs[0])
        if logits.requires_grad:
            logits.register_hook(back)

    def back(gradient: Tensor) -> None:
        nonlocal backward
        backward += len(gradient)

    net.register_forward_hook(count)
    explain_with(net, x, name, 2, "late")
    passes = EXPLAINERS[name].passes(8, (12, 12))
    assert forward == passes.forward * len(x)
    assert backward == passes.backward * len(x)


def test_the_passes_grow_with_maps_steps_and_windows():
    assert EXPLAINERS["gradcam"].passes(512, (224, 224)) == Passes(1, 1)
    assert EXPLAINERS["scorecam"].passes(512, (224, 224)) == Passes(513, 0)
    assert EXPLAINERS["integrated_gradients"].passes(None, (48, 48)) == Passes(51, 50)
    assert EXPLAINERS["occlusion"].passes(None, (48, 48)) == Passes(2 + 11 * 11, 0)
    with pytest.raises(ValueError, match="channels=None: scorecam"):
        EXPLAINERS["scorecam"].passes(None, (48, 48))
