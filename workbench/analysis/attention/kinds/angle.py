"""Attention by rotated kernels (paper A)."""

from __future__ import annotations

from models.layers.angle_attention import AngleAttention, AngleSteps

from .record import AttentionKind, AttentionMap, KindGate, Make


def _read(_module: AngleAttention, steps: AngleSteps, make: Make) -> list[AttentionMap]:
    """The weight of each position, the angle with the strongest response there, and that response."""
    return [
        make(
            "spatial map",
            r"a = \mathrm{sigmoid}(f^{7\times7}[\mathrm{avg}\,R;\,\max R]),\quad R_{n,k} = w_k(\theta_n) * x",
            "paper A; how kernels are rotated is our choice",
            "positions",
            steps.a[:, 0],
        ),
        make(
            "angle with the strongest response",
            r"\theta_{n^*},\quad n^* = \arg\max_n \max_k R_{n,k}",
            "paper A; our reading",
            "positions",
            steps.angle,
            unit="degrees, counter-clockwise",
            limits=(0.0, 360.0),
            is_weight=False,
        ),
        make(
            "response at that angle",
            r"\max_{n,k} R_{n,k}",
            "paper A; our reading",
            "positions",
            steps.maximum[:, 0],
            unit="response of a kernel",
            limits=(None, None),
            is_weight=False,
        ),
    ]


KIND = AttentionKind(
    name="AngleAttention",
    label="angle",
    classes=(AngleAttention,),
    idea="weights spatial positions by responses to rotated kernels, eight angles",
    source="paper A; details are ours",
    effect="The feature map is multiplied by it: bright positions are kept, uncolored ones suppressed",
    gates=(KindGate("gate", "gate"),),
    read=_read,
    layout="angles",
)
