"""What each kind of attention module has to show: its quantities, each with equation, source and unit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from models.layers.angle_attention import AngleAttention, AngleSteps
from models.layers.bam import BAM, BAMSteps
from models.layers.cbam import CBAM, CBAMSteps
from models.layers.sca import SCA
from models.layers.svd_attention import SVDAttention, SVDAttentionSteps
from models.layers.transformer import TransformerBlock, TransformerSteps

from .blocks import rollout

Over = Literal["places", "channels", "singular values"]


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """One quantity that an attention module computed on a batch of B pictures.

    Attributes:
        layer: name of the module.
        kind: its class: "CBAM", "SCA", "BAM", "SVDAttention", "AngleAttention", "TransformerBlock".
        title: what the quantity is, in a few words.
        equation: how it is computed, in LaTeX, in the symbols of the source.
        source: paper and number of the equation.
        over: what the values are spread over: "places" (B, h, w), "channels" (B, C), "singular values" (B, n).
        values: the numbers, float, without a graph.
        unit: what one unit means; "" for a plain weight.
        limits: the lowest and the highest value that is possible; None where nothing bounds it.
        weighs: True where a value is the weight of its place or channel, more is more; False for a step on the way to
            the weight, such as BAM's branches or an angle.
        pairs: of a transformer, who (row) attends to whom (column), each row summing to 1, (B, N, N) with N = h·w;
            None elsewhere.
    """

    layer: str
    kind: str
    title: str
    equation: str
    source: str
    over: Over
    values: Tensor
    unit: str = ""
    limits: tuple[float | None, float | None] = (0.0, 1.0)
    weighs: bool = True
    pairs: Tensor | None = None

    @property
    def spatial(self) -> bool:
        """Whether it weighs places, so that it may stand beside a class activation map."""
        return self.weighs and self.over == "places"


Make = Callable[..., AttentionMap]


def _read_cbam(module: CBAM, steps: CBAMSteps, make: Make) -> list[AttentionMap]:
    """What matters, then where: M_c and M_s."""
    of_b = "as CBAM; paper B names the parts without equations; " if isinstance(module, SCA) else ""
    return [
        make(
            "channel weights",
            r"M_c(F) = \sigma(\mathrm{MLP}(\mathrm{avg}\,F) + \mathrm{MLP}(\max F))",
            f"{of_b}Woo et al. 2018, eq. 2; paper E, eq. 1",
            "channels",
            steps.m_c.flatten(1),
        ),
        make(
            "spatial map",
            r"M_s(F') = \sigma(f^{7\times7}[\mathrm{avg}\,F';\,\max F']),\quad F' = M_c(F) \odot F",
            f"{of_b}Woo et al. 2018, eq. 3; paper E, eq. 2",
            "places",
            steps.m_s[:, 0],
        ),
    ]


def _read_bam(_module: BAM, steps: BAMSteps, make: Make) -> list[AttentionMap]:
    """The two branches before they are joined, and the gate. Its mean orders places exactly as M_s does."""
    open_ended = {"limits": (None, None), "weighs": False, "unit": "before the sigmoid"}
    return [
        make(
            "channel branch",
            r"M_c(F) = W_1\,\mathrm{ReLU}(\mathrm{BN}(W_0\,\mathrm{avg}\,F))",
            "Park et al. 2018, eq. 3",
            "channels",
            steps.m_c.flatten(1),
            **open_ended,
        ),
        make(
            "place branch",
            r"M_s(F) = f^{1\times1}(f^{3\times3}(f^{3\times3}(f^{1\times1}(F))))",
            "Park et al. 2018, eq. 4",
            "places",
            steps.m_s[:, 0],
            **open_ended,
        ),
        make(
            "gate, mean over channels",
            r"\frac{1}{C}\sum_c \sigma(M_c + M_s)_c,\quad F' = F + F \odot \sigma(M_c + M_s)",
            "Park et al. 2018, eq. 1 and 2; the mean is ours",
            "places",
            steps.gate.mean(1),
        ),
    ]


def _read_svd(module: SVDAttention, steps: SVDAttentionSteps, make: Make) -> list[AttentionMap]:
    """The whole chain of paper D. Its gate weighs positions without having seen what stands there."""
    step = {"limits": (None, None), "weighs": False, "unit": "of the map"}
    unit, product = ("of the map", "of the map, squared") if not module.normalize else ("of σ₁", "of σ₁, squared")
    strengths = {"limits": (0.0, 1.0 if module.normalize else None), "weighs": False, "unit": unit}
    ours = "; divided by σ₁, which is ours" if module.normalize else ""
    sigmas = {"x": steps.sigma_x, "h": steps.sigma_h, "l": steps.sigma_l}  # None: the query does without it
    whole = {"x": r"\tilde{x}", "h": "h", "l": r"\ell"}
    maps = [
        make("one channel", r"\tilde{x} = C_{1\times1}(x)", "paper D, eq. 1", "places", steps.x_tilde, **step),
        make(
            "fast waves",
            r"h = \mathcal{F}^{-1}(H_{\mathrm{high}} \odot \mathcal{F}(\tilde{x}))",
            "paper D, eq. 2 and 3",
            "places",
            steps.high,
            **step,
        ),
        make("slow waves", r"\ell = \tilde{x} - h", "paper D, table 1: LFC", "places", steps.low, **step),
    ]
    maps += [
        make(
            f"singular values of {_SVD_PARTS[part]}",
            rf"{whole[part]} = U\,\mathrm{{diag}}(\sigma_{{{part}}})\,V^\top",
            f"paper D, eq. 5 to 7{ours}",
            "singular values",
            sigma,
            **strengths,
        )
        for part, sigma in sigmas.items()
        if sigma is not None
    ]
    products = [pair for pair in ("hx", "lx", "hl") if sigmas[pair[0]] is not None]
    maps += [
        make(
            f"outer product, {_SVD_PARTS[a]} with {_SVD_PARTS[b]}",
            rf"P = \sigma_{{{a}}}\,\sigma_{{{b}}}^\top",
            "paper D, eq. 8",
            "places",
            P,
            **{**strengths, "unit": product},
        )
        for (a, b), P in zip(products, steps.outer.unbind(1), strict=False)  # "hl" only where there is a third product
    ]
    gate = make("gate", r"a = \sigma(C_{7\times7}(P))", "paper D, eq. 9", "places", steps.a[:, 0])
    return [*maps, gate]


_SVD_PARTS = {"x": "the channel", "h": "fast waves", "l": "slow waves"}


def _read_angle(_module: AngleAttention, steps: AngleSteps, make: Make) -> list[AttentionMap]:
    """The weight of each place, the angle that won there, and how strongly it answered."""
    return [
        make(
            "spatial map",
            r"a = \sigma(f^{7\times7}[\mathrm{avg}\,R;\,\max R]),\quad R_{n,k} = w_k(\theta_n) * x",
            "paper A; how kernels turn is our choice",
            "places",
            steps.a[:, 0],
        ),
        make(
            "angle that won",
            r"\theta_{n^*},\quad n^* = \arg\max_n \max_k R_{n,k}",
            "paper A; our reading",
            "places",
            steps.angle,
            unit="degrees, counter-clockwise",
            limits=(0.0, 360.0),
            weighs=False,
        ),
        make(
            "answer at that angle",
            r"\max_{n,k} R_{n,k}",
            "paper A; our reading",
            "places",
            steps.maximum[:, 0],
            unit="response of a kernel",
            limits=(None, None),
            weighs=False,
        ),
    ]


def _read_transformer(
    _module: TransformerBlock, steps: TransformerSteps, make: Make, grid: tuple[int, int]
) -> list[AttentionMap]:
    """How much of all attention each place receives: by head, and rolled out with the identity beside it."""
    maps = [
        make(
            f"head {number}",
            r"\frac{1}{N}\sum_i A_{ij},\quad A = \mathrm{softmax}(q k^\top / \sqrt{d})",
            "Vaswani et al. 2017, eq. 1; the mean over queries is ours",
            "places",
            A.mean(1).unflatten(1, grid),
            unit="share of the attention",
            pairs=A,
        )
        for number, A in enumerate(steps.attention.unbind(1), start=1)  # (B, N, N) each
    ]
    together = rollout([steps.attention])
    everything = make(
        "rollout of this block",
        r"\frac{1}{N}\sum_i \tilde{A}_{ij},\quad \tilde{A} = \frac{1}{2}(\bar{A} + I)",
        "Abnar and Zuidema 2020, section 3; the mean over queries is ours",
        "places",
        together.mean(1).unflatten(1, grid),
        unit="share of the attention",
        pairs=together,
    )
    return [*maps, everything]


# A new kind of attention is a reader (module, steps, make) → maps and a line here.
READERS: dict[type[nn.Module], Callable[..., list[AttentionMap]]] = {
    CBAM: _read_cbam,
    BAM: _read_bam,
    SVDAttention: _read_svd,
    AngleAttention: _read_angle,
    TransformerBlock: _read_transformer,
}
