"""Soft-voting ensemble, as in Khanzada, Bai and Celepcikay (2020), with which paper E compares.

The idea: networks of different runs fail on different faces. Their probabilities are averaged, so that a confident
member outweighs several uncertain ones:

    p(c | x) = Σ_m w_m p_m(c | x),   Σ_m w_m = 1

Differences from that paper: its members were trained with auxiliary data; ours are any checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..preprocessing import resized
from ..registry import create_model, get_spec, register_model

UNTRAINED = ("residual_cnn", "vanilla_cnn")
"""Members, with random weights, of an ensemble that is built without naming any, to show its architecture."""


class Ensemble(nn.Module):
    """Weighted mean of the members' probabilities, as log probabilities.

    Args:
        members: networks, each with its name, input size, and mean and std for normalization.
        weights: one for each member, at least 0, not all 0; None: equal.
    """

    def __init__(
        self, members: Sequence[tuple[str, nn.Module, int, float, float]], weights: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        weights = [1.0] * len(members) if weights is None else list(weights)
        if len(weights) != len(members) or min(weights) < 0 or sum(weights) <= 0:
            raise ValueError(f"weights={weights}: give {len(members)} numbers, at least 0 and not all 0")
        self.names = tuple(name for name, *_ in members)
        self.members = nn.ModuleList(model for _, model, *_ in members)
        self.views = tuple((side, mean, std) for _, _, side, mean, std in members)
        self.register_buffer("weights", torch.tensor(weights) / sum(weights))  # (M,)

    def forward(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "B K"]:
        """Gray images (B, 1, H, W), normalized as for the first member → log of the mean probability (B, K)."""
        return torch.einsum("m,mbk->bk", self.weights, self.votes(x)).clamp_min(1e-30).log()

    def votes(self, x: Float[Tensor, "B 1 H W"]) -> Float[Tensor, "M B K"]:
        """Return the probabilities of each member, in the order of `names`."""
        _, mean, std = self.views[0]
        pixels = x * std + mean  # back in 0..1
        return torch.stack(
            [
                member((resized(pixels, side) - mean) / std).float().softmax(-1)
                for member, (side, mean, std) in zip(self.members, self.views, strict=True)
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
) -> Ensemble:
    """Build a soft-voting ensemble of checkpoints.

    Without `members`, it consists of networks with random weights, to show the architecture. The members' parameters
    come from their own checkpoints: a state dict that is loaded needs only the ensemble's `weights`.

    Args:
        num_classes: number of logits.
        members: names of checkpoints.
        weights: of the members; None: equal.

    Raises:
        ValueError: no member is named, two come from one training (`models.lineage.related`), their classes differ, or
            `weights` do not fit; CheckpointError: one is missing.
    """
    from ..checkpoints import load_checkpoint, read_card  # it builds networks, so it cannot be imported first
    from ..lineage import related

    if members is None:
        loaded = [(name, create_model(name, num_classes), get_spec(name).input_size, 0.5, 0.25) for name in UNTRAINED]
        return Ensemble(loaded, weights)
    if len(members) == 0:
        raise ValueError("members=[]: name at least one checkpoint")
    for first, second in combinations(members, 2):
        if related(first, second):
            raise ValueError(
                f'members: "{first}" and "{second}" come from one training, so they make the same errors: leave one out'
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
        if not (isinstance(card.mean, float) and isinstance(card.std, float)):
            raise ValueError(f'members: "{name}" takes RGB images; an ensemble is built of networks for gray ones')
        loaded.append((name, model, card.input_size, card.mean, card.std))
    vote = Ensemble(loaded, weights)
    vote.register_load_state_dict_post_hook(_members_have_their_own)
    return vote


def _members_have_their_own(vote: nn.Module, keys: Any) -> None:
    keys.missing_keys[:] = [key for key in keys.missing_keys if not key.startswith("members.")]
