"""What networks from torchvision and timm need to become ours: one gray channel, ImageNet weights, no in-place ReLU."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def not_in_place(model: nn.Module) -> None:
    """Let every activation return a new map: explanations read maps that an in-place ReLU would overwrite."""
    for module in model.modules():
        if getattr(module, "inplace", False):
            module.inplace = False


def gray_kernel(rgb: Tensor) -> Tensor:
    """First-layer kernels for one channel, (C, 3, k, k) → (C, 1, k, k).

    Summing over the colours gives the response that the RGB kernels have to a gray picture repeated three times.
    """
    return rgb.sum(1, keepdim=True)


def imagenet_weights(weights, first: str) -> dict[str, Tensor]:
    """ImageNet weights of a torchvision network, without its classifier, the first convolution made gray.

    Args:
        weights: a member of torchvision's weights enum, e.g. `ResNet18_Weights.IMAGENET1K_V1`. Its file is taken from
            torch's cache (TORCH_HOME), else downloaded, its hash checked, and read without pickles.
        first: name of the first convolution's weight.

    Raises:
        OSError: the file is not in the cache and cannot be fetched.
    """
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:
        name = weights.url.rsplit("/", 1)[-1]
        raise OSError(
            f"ImageNet weights {name} could not be fetched ({error}). Connect to the internet, put the file into "
            f"{torch.hub.get_dir()}/checkpoints, or use pretrained=False."
        ) from error
    state[first] = gray_kernel(state[first])
    return {key: value for key, value in state.items() if not key.startswith(("fc.", "classifier."))}


def load_backbone(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Fill a network's backbone; only its classifier and its attention modules may be missing from `state`."""
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing = [key for key in missing if not key.startswith(("fc.", "classifier.", "attention."))]
    if missing or unexpected:
        raise ValueError(f"ImageNet weights do not fit: missing {missing}, unexpected {unexpected}")
