"""Sections of the page SVD: predictions for each rank, SVD attention step by step, its accuracy and memory."""

from __future__ import annotations

import streamlit as st
from torch import Tensor

from models.layers.svd_attention import SVDAttentionSteps
from models.text import signed, thousands
from workbench import services
from workbench.services.svd import RankPredictions

from . import charts, views


def last_component(term: Tensor, k: int) -> None:
    """Draw the k-th rank-1 component alone."""
    charts.show(charts.signed(term, "gray"), "term", f"Rank-1 component {k} of the face, around zero")
    views.caption(
        f"**Component {k},** a rank-1 matrix that adds (red) and subtracts (blue) gray values. It is a pattern of "
        "stripes: no single component corresponds to a part of the face."
    )


def rank_predictions(found: RankPredictions, k: int) -> None:
    """Draw the probabilities against the rank of the approximation."""
    colors = charts.class_colors(found.classes)
    title = "rank k"
    chart = charts.curves(found.ranks, found.probabilities.T, found.classes, title, "probability", colors, marks=(k,))
    charts.show(chart, "ranks", "Probability of each class against the rank of the approximation")
    now, whole = (found.classes[int(shares.argmax())] for shares in (found.probabilities[k - 1], found.whole))
    views.caption(
        f"**From rank {found.enough} of {len(found.ranks)} on, the prediction stays {whole}**; at rank {k}: {now}, "
        f"{charts.percent(float(found.probabilities[k - 1].max()))}. Low-rank images are striped, unlike the training "
        "images, so a wrong prediction there proves little."
    )


# ---- SVD attention step by step


def query(steps: SVDAttentionSteps, normalized: bool) -> None:
    """Draw the map projected to one channel, the query, and the singular values of both (`normalized`?)."""
    h, w = steps.a.shape[-2:]
    projection, component, values = st.columns(3)
    with projection:
        charts.show(charts.signed(steps.x_tilde[0], "x̃"), "x_tilde", "The feature map projected to one channel")
        views.caption(f"**Equation 1:** the feature map, {h} × {w}, projected to one channel. The sign is arbitrary.")
    with component:
        name, values_, word = ("l", steps.low, "low") if steps.sigma_h is None else ("h", steps.high, "high")
        charts.show(charts.signed(values_[0], name), "query", f"Its {word}-frequency component, the query")
        views.caption(f"**Equations 2 and 3:** its {word}-frequency component {name}, the query.")
    with values:
        found = {"σ of x̃": steps.sigma_x, "σ of h": steps.sigma_h, "σ of l": steps.sigma_l}
        chart = charts.spectra({key: sigma[0] for key, sigma in found.items() if sigma is not None})
        charts.show(chart, "lists", "Singular values of the map and of the query")
        views.caption(
            "**Equations 5 to 7:** the singular values of both, in descending "
            f"order{', divided by the largest (our variant)' if normalized else ''}. They no longer tell where in "
            "the map a pattern is."
        )


def gate(steps: SVDAttentionSteps, spread: Tensor, faces: int, trained: bool) -> None:
    """Draw the outer product of the singular values, the gate, and how much the gate differs between faces."""
    product, made, differs = st.columns(3)
    with product:
        outer = (steps.outer[0, 0] + 1e-6).log10()
        more = f" (the first of {steps.outer.shape[1]})" if steps.outer.shape[1] > 1 else ""
        charts.show(charts.strength(outer, "log₁₀", *outer.aminmax()), "outer", "Outer product of singular values")
        views.caption(
            f"**Equation 8:** the outer product, logarithmic{more}. It is always brightest at the upper left, because "
            "singular values are in descending order."
        )
    with made:
        a = steps.a[0, 0]
        charts.show(charts.strength(a, "a"), "gate", "The gate, which multiplies the feature map")
        how = "as trained" if trained else "with random weights"
        views.caption(
            f"**Equations 9 and 10:** the gate, after convolution and sigmoid, {how}: {_two(a.min())} to "
            f"{_two(a.max())}. Bright positions are kept, dark ones suppressed, whatever their content."
        )
    with differs:
        charts.show(charts.strength(spread, "range"), "gate-spread", "How far the gate differs between the samples")
        views.caption(
            f"**Does the gate depend on the face?** Range of its values over the {faces} samples: "
            f"{_two(spread.mean())} on average, {_two(spread.max())} at most. Dark: hardly any dependence."
        )


def _two(value: Tensor) -> str:
    return f"{float(value):.2f}"


# ---- accuracy and memory


def gains() -> None:
    """Draw a table of the accuracy with BAM and SVD attention, here and in paper D."""
    rows, backbones = [], set()
    for gain in services.svd.gains():
        if gain.plain_accuracy and gain.plain not in backbones:
            backbones.add(gain.plain)
            rows.append(
                f"| {services.networks.get_spec(gain.plain).title} | {charts.interval(gain.plain_accuracy)} | | |"
            )
        ours = charts.interval(gain.accuracy) if gain.accuracy else "not run"
        if gain.other_seeds:
            ours += f"; other seeds: {', '.join(f'{100 * value:.1f}' for value in gain.other_seeds)}"
        change = charts.interval(gain.difference, signed=True) if gain.difference else "not run"
        paper = signed(100 * gain.reported, 2) if gain.reported is not None else "not in the paper"
        title = services.networks.get_spec(gain.network).title + (", normalized" if gain.normalize else "")
        rows.append(f"| {title} | {ours} | {change} | {paper} |")
    head = (
        "| network | accuracy here, % ↑ | difference from the backbone | difference in paper D |\n|---|---:|---:|---:|"
    )
    views.caption("\n".join([head, *rows]))
    views.caption(
        "**FER2013 PrivateTest, single view; differences in percentage points, 95 % intervals in parentheses.** An "
        "interval that contains zero means no significant difference."
    )
    st.caption(
        "Ours: short training runs at 48 × 48, EfficientNet-Lite0 fine-tuned from ImageNet weights at 96 × 96, "
        "with differences of one seed each. The paper: best of 100 epochs on its test set, at 224 × 224; "
        "plain accuracies computed from its per-class rows. *Normalized* (our variant): singular values divided by "
        "the largest, so that the gate saturates less."
    )


def memory() -> None:
    """Draw a table of the memory that Kronecker and outer products need."""
    account = services.svd.memory_account()
    rows = {
        "Kronecker product, one image": account.kronecker_image,
        "Kronecker product, each image of the batch": account.kronecker_batch,
        "Kronecker product over the batch as well": account.kronecker_over_batch,
        "Outer product of singular values, one image": account.outer_image,
        "Outer product of singular values, each image of the batch": account.outer_batch,
    }
    table = "\n".join(f"| {name} | {charts.memory(count)} |" for name, count in rows.items())
    views.caption(f"| {account.side} × {account.side}, batch {account.batch}, float32 | memory |\n|---|---:|\n{table}")
    times = account.kronecker_image / account.outer_image
    views.caption(
        "**The paper's 600.25 GB** (GiB) needs a product over the batch as well, which would compare different faces. "
        f"For one image the outer product still saves a factor of {thousands(round(times))}, but loses "
        "spatial information."
    )
