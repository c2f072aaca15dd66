"""Any classification network of timm, by its name there, for weights that a user adds.

It is built by timm, and only from names of its own list: a name with a colon would be an address or a path.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from torch import nn

from ..options import Bounds
from ..registry import register_model


@register_model(
    "timm", title="Network of timm", channels=3, input_size=224, smallest_side=8, imagenet=False, listed=False
)
def timm_network(
    num_classes: int = 7,
    architecture: str = "resnet18",
    channels: Literal[1, 3] = 3,
    image_size: Annotated[int, Bounds(0, 1024)] = 0,
    pool: str = "",
) -> nn.Module:
    """A network of timm with random weights.

    Args:
        num_classes: number of logits.
        architecture: name in `timm.list_models()`.
        channels: number of input channels, 1 for gray, 3 for RGB.
        image_size: side in pixels for which a vision transformer is built; 0: the one that it has in timm.
        pool: timm's `global_pool`; empty: the network's own.
    """
    import timm  # takes seconds

    if architecture not in timm.list_models():
        raise ValueError(f'architecture="{architecture}" is not in timm.list_models(). Give a name from that list.')
    arguments: dict[str, Any] = {"img_size": image_size} if image_size else {}
    if pool:
        arguments["global_pool"] = pool
    return timm.create_model(architecture, pretrained=False, num_classes=num_classes, in_chans=channels, **arguments)
