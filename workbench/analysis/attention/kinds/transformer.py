"""Self-attention between spatial positions."""

from __future__ import annotations

from models.layers.transformer import TransformerBlock, TransformerSteps

from ..blocks import product_of
from .record import AttentionKind, AttentionMap, KindGate, Make


def _read(_module: TransformerBlock, steps: TransformerSteps, make: Make, grid: tuple[int, int]) -> list[AttentionMap]:
    """The attention that each position receives on average: by head, and the rollout with the residual connection."""
    maps = [
        make(
            f"head {number}",
            r"\frac{1}{N}\sum_i A_{ij},\quad A = \mathrm{softmax}(q k^\top / \sqrt{d})",
            "Vaswani et al. 2017, eq. 1; the mean over queries is ours",
            "positions",
            A.mean(1).unflatten(1, grid),
            unit="share of the attention",
            pairs=A,
        )
        for number, A in enumerate(steps.attention.unbind(1), start=1)  # (B, N, N) each
    ]
    together = product_of([steps.attention])
    everything = make(
        "rollout of this block",
        r"\frac{1}{N}\sum_i \tilde{A}_{ij},\quad \tilde{A} = \frac{1}{2}(\bar{A} + I)",
        "Abnar and Zuidema 2020, section 3; the mean over queries is ours",
        "positions",
        together.mean(1).unflatten(1, grid),
        unit="share of the attention",
        pairs=together,
    )
    return [*maps, everything]


KIND = AttentionKind(
    name="TransformerBlock",
    label="transformer",
    classes=(TransformerBlock,),
    idea="computes self-attention between spatial positions",
    source="Vaswani et al. 2017; paper B",
    effect="Attention that each position receives, the residual connection included",
    gates=(KindGate("softmax", "self-attention", neutral=None),),
    read=_read,
    layout="heads",
)
