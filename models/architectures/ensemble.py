"""Soft-voting ensemble, as in Khanzada, Bai and Celepcikay (2020), with which paper E compares.

The idea: networks of different runs fail on different faces. Their probabilities are averaged, so that a confident
member outweighs several uncertain ones:

    p(c | x) = Σ_m w_m p_m(c | x),   Σ_m w_m = 1

Differences from that paper: its members were trained with auxiliary data; ours are any checkpoints, for gray images or
for RGB.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..options import InputChannels
from ..preprocessing import denormalize, luminance, normalize, resized, with_channels
from ..registry import create_model, get_spec, register_model

UNTRAINED = ("residual_cnn", "vanilla_cnn")
"""Members, with random weights, of an ensemble that is built without naming any, to show its architecture."""


class View(NamedTuple):
    """What a member gets of an image.

    Attributes:
        name: name of the member's checkpoint, or of the network with random weights.
        side: side in pixels to which the image is resized.
        mean, std: mean and standard deviation that normalize pixels in 0..1; a number, or one for each channel.
        channels: number of channels of the member's input, 1 for gray, 3 for RGB.
        color: whether it gets the colors; False: the luminance, repeated where it has 3 channels.
    """

    name: str
    side: int
    mean: float | tuple[float, ...] = 0.5
    std: float | tuple[float, ...] = 0.25
    channels: int = 1
    color: bool = False

    def input(self, pixels: Tensor) -> Tensor:
        """Pixels in 0..1 (B, C, H, W) → the member's input (B, channels, side, side)."""
        planes = pixels if self.color else luminance(pixels)[:, None]
        return normalize(with_channels(resized(planes, self.side), self.channels), self.mean, self.std)


class Ensemble(nn.Module):
    """Weighted mean of the members' probabilities, as log probabilities.

    Args:
        members: networks, each with what it gets of an image.
        weights: one for each member, at least 0, not all 0; None: equal.
    """

    def __init__(self, members: Sequence[tuple[View, nn.Module]], weights: Sequence[float] | None = None) -> None:
        super().__init__()
        weights = [1.0] * len(members) if weights is None else list(weights)
        if len(weights) != len(members) or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f"weights={weights}: give {len(members)} numbers, at least 0 and not all 0")
        self.views = tuple(view for view, _ in members)
        self.names = tuple(view.name for view in self.views)
        self.members = nn.ModuleList(model for _, model in members)
        self.register_buffer("weights", torch.tensor(weights) / sum(weights))  # (M,)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B K"]:
        """Images (B, C, H, W), normalized as for the first member → log of the mean probability (B, K)."""
        return torch.einsum("m,mbk->bk", self.weights, self.votes(x)).clamp_min(1e-30).log()

    def votes(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "M B K"]:
        """Return the probabilities of each member, in the order of `names`."""
        pixels = denormalize(x, self.views[0].mean, self.views[0].std)  # back in 0..1
        return torch.stack(
            [
                member(view.input(pixels)).float().softmax(-1)
                for member, view in zip(self.members, self.views, strict=True)
            ]
        )


@register_model(
    "ensemble",
    paper="E",
    title="Ensemble",
    parameters=3_114_638,
    imagenet=False,
    composite=True,
    reported={"accuracy": 0.758},
)
def ensemble(
    num_classes: int = 7,
    members: Sequence[str] | None = None,
    weights: Sequence[float] | None = None,
    channels: InputChannels = 1,
) -> Ensemble:
    """Build a soft-voting ensemble of checkpoints.

    Without `members`, it consists of networks with random weights, to show the architecture. The members' parameters
    come from their own checkpoints: a state dict that is loaded needs only the ensemble's `weights`.

    Args:
        num_classes: number of logits.
        members: names of checkpoints.
        weights: weight of each member; None: equal weights.
        channels: number of input channels, 1 for gray, 3 for RGB, of which members for gray images get the luminance.

    Raises:
        ValueError: no member is named, two share a training run (`models.lineage.related`), their classes differ, or
            `weights` do not fit; CheckpointError: one is missing.
    """
    from ..checkpoints import load_checkpoint, read_card  # it builds networks, so it cannot be imported first
    from ..lineage import related

    if members is None:
        drawn = [(View(name, get_spec(name).input_size), create_model(name, num_classes)) for name in UNTRAINED]
        return Ensemble(drawn, weights)
    if len(members) == 0:
        raise ValueError("members=[]: name at least one checkpoint")
    for first, second in combinations(members, 2):
        if related(first, second):
            raise ValueError(
                f'members: "{first}" and "{second}" share a training run, so their errors are similar: leave one out'
            )
    if nested := [name for name in members if read_card(name).network == "ensemble"]:
        raise ValueError(f'members: "{nested[0]}" is an ensemble itself: name single networks')
    loaded, classes = [], None
    for name in members:
        model, card = load_checkpoint(name)
        if len(card.classes) != num_classes or classes not in (None, card.classes):
            own = ", ".join(card.classes)
            raise ValueError(f'members: "{name}" has the classes {own}; all must have the same {num_classes} classes')
        classes = card.classes
        if card.color and channels == 1:
            raise ValueError(f'members: "{name}" was trained on RGB images: build the ensemble with channels=3')
        loaded.append((View(name, card.input_size, card.mean, card.std, card.channels, card.color), model))
    vote = Ensemble(loaded, weights)
    vote.register_load_state_dict_post_hook(_members_have_their_own)
    return vote


def _members_have_their_own(vote: nn.Module, keys: Any) -> None:
    keys.missing_keys[:] = [key for key in keys.missing_keys if not key.startswith("members.")]
