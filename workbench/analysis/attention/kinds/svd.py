"""SVD attention (paper D): a gate computed from singular values."""

from __future__ import annotations

from models.layers.svd_attention import SVDAttention, SVDAttentionSteps

from .record import AttentionKind, AttentionMap, KindGate, Make, Step


def _read(module: SVDAttention, steps: SVDAttentionSteps, make: Make) -> list[AttentionMap]:
    """All steps of paper D. The gate is computed from sorted singular values, which have lost all positions."""
    step = {"limits": (None, None), "is_weight": False, "unit": "of the map"}
    unit, product = ("of the map", "of the map, squared") if not module.normalize else ("of σ₁", "of σ₁, squared")
    strengths = {"limits": (0.0, 1.0 if module.normalize else None), "is_weight": False, "unit": unit}
    ours = "; divided by σ₁, which is ours" if module.normalize else ""
    sigmas = {"x": steps.sigma_x, "h": steps.sigma_h, "l": steps.sigma_l}  # None: not part of the query
    whole = {"x": r"\tilde{x}", "h": "h", "l": r"\ell"}
    maps = [
        make(
            "projection to one channel",
            r"\tilde{x} = C_{1\times1}(x)",
            "paper D, eq. 1",
            "positions",
            steps.x_tilde,
            **step,
        ),
        make(
            "high-frequency component",
            r"h = \mathcal{F}^{-1}(H_{\mathrm{high}} \odot \mathcal{F}(\tilde{x}))",
            "paper D, eq. 2 and 3",
            "positions",
            steps.high,
            **step,
        ),
        make(
            "low-frequency component", r"\ell = \tilde{x} - h", "paper D, table 1: LFC", "positions", steps.low, **step
        ),
    ]
    maps += [
        make(
            f"singular values of {_SVD_PARTS[part]}",
            rf"{whole[part]} = U_{{{part}}}\,\mathrm{{diag}}(\sigma_{{{part}}})\,V_{{{part}}}^\top",
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
            "positions",
            P,
            **{**strengths, "unit": product},
        )
        for (a, b), P in zip(products, steps.outer.unbind(1), strict=False)  # "hl" only where there is a third product
    ]
    gate = make("gate", r"a = \mathrm{sigmoid}(C_{7\times7}(P))", "paper D, eq. 9", "positions", steps.a[:, 0])
    return [*maps, gate]


_SVD_PARTS = {"x": "the projection", "h": "high frequencies", "l": "low frequencies"}


KIND = AttentionKind(
    name="SVDAttention",
    label="SVD",
    classes=(SVDAttention,),
    idea="computes a gate from singular values",
    source="paper D",
    effect="Computed from sorted singular values, it weights positions regardless of their content",
    gates=(KindGate("gate", "gate"),),
    read=_read,
    steps=(
        Step(
            "projection to one channel",
            "the input map, projected (paper D, equation 1). The sign is arbitrary, so red does not mean more "
            "than blue.",
        ),
        Step(
            "high-frequency component",
            "of that channel (equations 2 and 3). The gate does not know where in the image this component is large.",
        ),
    ),
    page="svd.py",
)
