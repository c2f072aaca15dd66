"""Maps in every layout: class activation maps of timm's networks are those of pytorch-grad-cam with its reshape."""

import pytest
import timm
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from workbench.analysis.activations import forward_from
from workbench.analysis.cam import gradcam
from workbench.analysis.layouts import layout_of
from workbench.analysis.methods import explain_with
from workbench.analysis.target_layers import map_layers_of

SIDE = 64


def last(t):  # channels last
    return t.permute(0, 3, 1, 2)


def tokens(prefix: int, side: int):
    return lambda t: t[:, prefix:].reshape(len(t), side, side, -1).permute(0, 3, 1, 2)


SWIN = {"embed_dim": 24, "depths": (1, 1), "num_heads": (2, 2), "img_size": SIDE, "window_size": 4}
VIT = {"embed_dim": 32, "depth": 2, "num_heads": 2, "img_size": SIDE, "patch_size": 16}
NETWORKS = {
    "swin_tiny_patch4_window7_224": (SWIN, "layers.1", last),
    "vit_tiny_patch16_224": (VIT, "blocks.1.norm1", tokens(1, 4)),
    "vit_base_patch16_reg4_gap_256": (VIT, "blocks.1.norm1", tokens(4, 4)),
    "convnext_atto": ({"depths": (1, 1, 1, 1), "dims": (8, 16, 24, 32)}, "stages.3", None),
    "maxvit_rmlp_pico_rw_256": ({"img_size": SIDE}, "stages.2", None),
    "efficientnet_lite0": ({}, "blocks.5", None),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_equal_those_of_pytorch_grad_cam_with_its_reshape(name):
    arguments, layer, reshape = NETWORKS[name]
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=3, **arguments).eval()
    x = torch.randn(2, 3, SIDE, SIDE)
    ours = gradcam(model, x, [1], layer, size=(SIDE, SIDE), normalize=True)[:, 0]
    with GradCAM(model, [model.get_submodule(layer)], reshape_transform=reshape) as engine:
        theirs = torch.from_numpy(engine(x, [ClassifierOutputTarget(1)] * 2))
    assert torch.allclose(ours, theirs, atol=1e-5)
    assert ours.amax() == 1
    assert layer in [found.name for found in map_layers_of(model, x.shape)]


def test_a_method_that_replaces_maps_keeps_the_class_token():
    torch.manual_seed(0)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=3, **VIT).eval()
    x = torch.randn(1, 3, SIDE, SIDE)
    found = explain_with(model, x, "ablationcam", 1, "blocks.1.norm1")
    A, y = forward_from(model, x, "blocks.1.norm1").A, model(x)[0, 1]
    drops = []
    for k in range(A.shape[1]):  # by hand: channel k of the patches is zero, and the class token stays

        def without(_module, _inputs, output, k=k):
            output = output.clone()
            output[:, 1:, k] = 0
            return output

        with model.blocks[1].norm1.register_forward_hook(without), torch.no_grad():
            drops.append(y - model(x)[0, 1])
    wanted = torch.einsum("k,khw->hw", torch.stack(drops), A[0]).relu().detach()
    assert torch.allclose(found[0], wanted, atol=1e-5)


def test_layouts_are_found_by_shape_or_given():
    image = (2, 3, 32, 48)
    shapes = {
        (2, 8, 4, 6): ("channels-first", (4, 6), 0),
        (2, 4, 6, 16): ("channels-last", (4, 6), 0),
        (2, 24, 8): ("tokens", (4, 6), 0),
        (2, 25, 8): ("tokens", (4, 6), 1),
        (2, 29, 8): ("tokens", (4, 6), 5),
    }
    for shape, (kind, extent, prefix) in shapes.items():
        found = layout_of(torch.zeros(shape), image)
        assert (found.kind, found.extent, found.prefix) == (kind, extent, prefix), shape
        output = torch.randn(shape)
        assert torch.equal(found.replaced(output, found.maps(output)), output)
    for shape in ((2, 8), (2, 8, 1, 1), (2, 1, 8), (8, 4, 6, 16)):
        assert layout_of(torch.zeros(shape), image) is None, shape
    pair = [torch.zeros(2, 8, 8, 12), torch.zeros(2, 24, 8), torch.zeros(2, 8)]
    assert layout_of(pair, image).item == 1
    assert layout_of(torch.zeros(2, 9, 8), (2, 3, 32, 32)).extent == (3, 3)
    assert layout_of(torch.zeros(2, 9, 8), (2, 3, 32, 32), "tokens:5").extent == (2, 2)
    assert layout_of(torch.zeros(2, 24, 8), image, "tokens:0:6x4").extent == (6, 4)
    assert layout_of(torch.zeros(2, 8, 8, 8), (2, 3, 32, 32), "channels-last").kind == "channels-last"
    with pytest.raises(ValueError, match='"channels-first", "channels-last", "tokens:P"'):
        layout_of(torch.zeros(2, 9, 8), image, "rows")


def test_a_layer_without_maps_is_refused_with_those_that_have_some():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(ValueError, match=r"which has no height and width to draw. Layers with maps: 0, 1"):
        gradcam(model, torch.randn(1, 1, 12, 12), [0], "3")
