"""BAM: channel and spatial attention in parallel, added before one sigmoid."""

from __future__ import annotations

from models.layers.bam import BAM, BAMSteps

from .record import AttentionKind, AttentionMap, KindGate, Make, Step


def _read(_module: BAM, steps: BAMSteps, make: Make) -> list[AttentionMap]:
    """Both branches and the gate, whose mean over channels orders positions exactly as M_s does."""
    branch = {"limits": (None, None), "is_weight": False, "unit": "before the sigmoid"}
    return [
        make(
            "channel branch",
            r"M_c(F) = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0\,\mathrm{avg}\,F))",
            "Park et al. 2018, eq. 3",
            "channels",
            steps.m_c.flatten(1),
            **branch,
        ),
        make(
            "spatial branch",
            r"M_s(F) = f^{1\times1}(f^{3\times3}(f^{3\times3}(f^{1\times1}(F))))",
            "Park et al. 2018, eq. 4",
            "positions",
            steps.m_s[:, 0],
            **branch,
        ),
        make(
            "gate, mean over channels",
            r"\frac{1}{C}\sum_c \mathrm{sigmoid}(M_c + M_s)_c,\quad F' = F + F \odot \mathrm{sigmoid}(M_c + M_s)",
            "Park et al. 2018, eq. 1 and 2; the mean is ours",
            "positions",
            steps.gate.mean(1),
        ),
    ]


KIND = AttentionKind(
    name="BAM",
    label="BAM",
    classes=(BAM,),
    idea="weights channels and spatial positions in parallel, with a residual connection",
    source="Park et al. 2018",
    effect="The feature map is multiplied by 1 + gate: nothing is suppressed, bright positions are at most doubled",
    gates=(KindGate("gate", "gate", neutral=0.0),),  # x + x ⊙ gate
    read=_read,
    steps=(
        Step(
            "spatial branch",
            "one of two branches; red raises the weight of a position, blue lowers it, before the sigmoid.",
        ),
        Step("channel branch", ""),
    ),
)
