"""What networks from torchvision and timm need to become ours: one gray channel, ImageNet weights, no in-place ReLU."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn


def not_in_place(model: nn.Module) -> None:
    """Let every activation return a new map: explanations read maps that an in-place ReLU would overwrite."""
    for module in model.modules():
        if getattr(module, "inplace", False):
            module.inplace = False


def gray_first(model: nn.Module, name: str) -> None:
    """Put a convolution for one channel in the place of an RGB one; it begins with the weights of one colour."""
    parent, _, child = name.rpartition(".")
    rgb: nn.Conv2d = model.get_submodule(name)
    gray = nn.Conv2d(
        1, rgb.out_channels, rgb.kernel_size, rgb.stride, rgb.padding, rgb.dilation, bias=rgb.bias is not None
    )
    gray.weight.data.copy_(rgb.weight.data[:, :1])
    setattr(model.get_submodule(parent), child, gray)


def gray_kernel(rgb: Tensor) -> Tensor:
    """First-layer kernels for one channel, (C, 3, k, k) → (C, 1, k, k): W_gray = ⅓ Σ W_rgb (paper C, eq. 1)."""
    return rgb.mean(1, keepdim=True)


def imagenet_weights(weights, first: str | None = None) -> dict[str, Tensor]:
    """ImageNet weights of a torchvision network, without its classifier.

    Args:
        weights: a member of torchvision's weights enum, e.g. `ResNet18_Weights.IMAGENET1K_V1`. Its file is taken from
            torch's cache (TORCH_HOME), else downloaded, its hash checked, and read without pickles.
        first: name of the first convolution's weight, which is made gray; None leaves it for three channels.

    Raises:
        OSError: the file is not in the cache and cannot be fetched; the message names the file and the folder.
    """
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        raise _not_fetched(weights.url.rsplit("/", 1)[-1], error) from error
    return _without_classifier(state, first)


def timm_weights(name: str, first: str | None = None) -> dict[str, Tensor]:
    """ImageNet weights of a timm network, without its classifier; arguments and errors as for `imagenet_weights`.

    A file <name>.safetensors in torch's cache is taken before timm is asked to fetch one.
    """
    import timm

    local = Path(torch.hub.get_dir()) / "checkpoints" / f"{name}.safetensors"
    overlay = {"file": str(local)} if local.is_file() else None
    try:
        state = timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay).state_dict()
    except Exception as error:  # the hub's client has errors of its own for a missing network
        raise _not_fetched(local.name, error) from error
    return _without_classifier(state, first)


def _without_classifier(state: Mapping[str, Tensor], first: str | None) -> dict[str, Tensor]:
    heads = ("fc.", "classifier.", "last_linear.", "AuxLogits.")
    state = {key: value for key, value in state.items() if not key.startswith(heads)}
    if first:
        state[first] = gray_kernel(state[first])
    return state


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
