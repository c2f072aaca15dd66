"""What the page SVD shows: answers to a face of few terms, SVD attention step by step, what it brought and costs."""

from __future__ import annotations

import streamlit as st
from torch import Tensor

from models.layers.svd_attention import SVDAttentionSteps
from models.text import counted, signed
from workbench import services
from workbench.services.svd import RankAnswers

from . import charts, views


def last_term(term: Tensor, k: int) -> None:
    """The k-th term alone."""
    charts.show(charts.signed(term, "gray"), "term", f"Term number {k} alone")
    views.caption(
        f"**Term {k} alone:** what the last stroke adds (red) and takes away (blue). It is stripes and blocks, "
        "never a nose: no single term means a part of the face."
    )


def rank_answers(found: RankAnswers, k: int) -> None:
    """Probabilities against the number of terms that are kept."""
    colors = charts.class_colors(found.classes)
    title = "rank: number of terms kept"
    chart = charts.curves(found.ranks, found.probabilities.T, found.classes, title, "probability", colors, marks=(k,))
    charts.show(chart, "ranks", "Probability of each class against the rank")
    now, whole = (found.classes[int(shares.argmax())] for shares in (found.probabilities[k - 1], found.whole))
    views.caption(
        f"**From {counted(found.enough, 'term')} on, the answer stays {whole}**, of {len(found.ranks)}; at the "
        f"slider's {k} it is {now}, {charts.percent(float(found.probabilities[k - 1].max()))}. A picture of few terms "
        "is striped as no training picture was, so a wrong answer there does not prove that the network needs weak "
        "terms."
    )


# ---- SVD attention step by step


def arrival(steps: SVDAttentionSteps, normalized: bool) -> None:
    """The map in one channel, its waves that are the query, and the two lists of singular values (`normalized`?)."""
    h, w = steps.a.shape[-2:]
    pressed, waves, lists = st.columns(3)
    with pressed:
        charts.show(charts.signed(steps.x_tilde[0], "x̃"), "x_tilde", "The map pressed into one channel")
        views.caption(
            f"**Equation 1:** the map that arrives, {h} × {w}, pressed into one channel. "
            "Which sign is up was learned by chance, so red is not more than blue."
        )
    with waves:
        name, query, word = ("l", steps.low, "slow") if steps.sigma_h is None else ("h", steps.high, "fast")
        charts.show(charts.signed(query[0], name), "query", f"The {word} waves of that map, the query")
        views.caption(
            f"**Equations 2 and 3:** its {word} waves {name}, the query. "
            "So far every value has its place; that something stands out here does not mean that it will count."
        )
    with lists:
        found = {"σ of x̃": steps.sigma_x, "σ of h": steps.sigma_h, "σ of l": steps.sigma_l}
        chart = charts.spectra({key: sigma[0] for key, sigma in found.items() if sigma is not None})
        charts.show(chart, "lists", "Singular values of the map and of the query")
        views.caption(
            "**Equations 5 to 7:** both become lists of singular values, in descending order"
            f"{', each divided by the largest of their list (ours)' if normalized else ''}. "
            "From here on nothing tells where in the map a value came from."
        )


def gate(steps: SVDAttentionSteps, spread: Tensor, faces: int, trained: bool) -> None:
    """The product of the two lists, the gate that is made of it, and how far it differs from face to face."""
    product, made, differs = st.columns(3)
    with product:
        outer = (steps.outer[0, 0] + 1e-6).log10()
        more = f" (the first of {steps.outer.shape[1]})" if steps.outer.shape[1] > 1 else ""
        charts.show(charts.strength(outer, "log₁₀", *outer.aminmax()), "outer", "Outer product of the two lists")
        views.caption(
            f"**Equation 8:** the product of every pair, logarithmic{more}. It is brightest at the upper left in every "
            "picture, because that is where the largest numbers stand."
        )
    with made:
        a = steps.a[0, 0]
        charts.show(charts.strength(a, "a"), "gate", "The gate by which positions are multiplied")
        how = "as it was trained" if trained else "of random weights"
        views.caption(
            f"**Equations 9 and 10:** convolved and pressed into 0 to 1, the gate, {how}: {_two(a.min())} to "
            f"{_two(a.max())} here. Bright places pass, dark ones are held back, whatever stands there."
        )
    with differs:
        charts.show(charts.strength(spread, "range"), "gate-spread", "How far the gate differs between the samples")
        views.caption(
            f"**The same gate for everybody?** Largest less smallest value over the {faces} samples: "
            f"{_two(spread.mean())} on average, {_two(spread.max())} at most. Where it is dark, this gate hardly "
            "depends on the face; that many faces would agree alike it does not show."
        )


def _two(value: Tensor) -> str:
    return f"{float(value):.2f}"


# ---- what it brought, and what it saves


def gains() -> None:
    """What BAM and SVD attention brought, here and in paper D."""
    rows, hosts = [], set()
    for gain in services.svd.gains():
        if gain.plain_accuracy and gain.plain not in hosts:
            hosts.add(gain.plain)
            rows.append(
                f"| {services.networks.get_spec(gain.plain).title} | {charts.interval(gain.plain_accuracy)} | | |"
            )
        ours = charts.interval(gain.accuracy) if gain.accuracy else "not run"
        change = charts.interval(gain.difference, signed=True) if gain.difference else "not run"
        paper = signed(100 * gain.reported, 2) if gain.reported is not None else "not in the paper"
        rows.append(f"| {services.networks.get_spec(gain.network).title} | {ours} | {change} | {paper} |")
    head = "| | accuracy here, % ↑ | difference to the one without | in paper D, from its rows |\n|---|---:|---:|---:|"
    views.caption("\n".join([head, *rows]))
    views.caption(
        "**PrivateTest of FER2013, single view; differences in percentage points, 95 % intervals in brackets.** Where "
        "an interval holds zero, the pictures do not tell the two apart. Ours are short trainings at 48 pixels, one "
        "seed of each here (all seeds: checkpoints/README.md); the paper reports the best of 100 epochs on its test "
        "set, at 224. It prints balanced accuracy; the plain one follows from its rows and the sizes of the classes. "
        "*Normalized* (ours): singular values are divided by the largest, so that the gate saturates less."
    )


def memory() -> None:
    """What comparing all pixels with all pixels would cost."""
    account = services.svd.memory_account()
    rows = {
        "Kronecker product, one picture": account.kronecker_picture,
        "Kronecker product, each picture of the batch": account.kronecker_batch,
        "Kronecker product over the batch as well": account.kronecker_over_batch,
        "Outer product of singular values, one picture": account.outer_picture,
        "Outer product of singular values, each picture of the batch": account.outer_batch,
    }
    table = "\n".join(f"| {name} | {charts.memory(count)} |" for name, count in rows.items())
    views.caption(f"| {account.side} × {account.side}, batch {account.batch}, float32 | memory |\n|---|---:|\n{table}")
    times = account.kronecker_picture / account.outer_picture
    views.caption(
        "**The paper's 600.25 GB** appears only when the product is taken over the batch as well, which compares faces "
        f"of different people with each other (it means GiB). For one picture the saving is still {times:,.0f}-fold; "
        "its price is that the outer product no longer knows places."
    )
