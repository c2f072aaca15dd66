"""Ablation on the page Attention: logits with some attention modules replaced, and without single class branches."""

from __future__ import annotations

import streamlit as st

from workbench import services
from workbench.analysis.attention import Replacement
from workbench.faces import Face
from workbench.services.attention import Module

from . import charts, page_content, state, views
from .attention import label


@page_content.fragment
def switches(face: Face, network: str, modules: tuple[Module, ...]) -> None:
    """Draw a toggle for each module, and the logits with and without those that are replaced; the table of all."""
    by = _REPLACEMENTS[
        views.choose_one("A module is replaced by", _REPLACEMENTS, default=next(iter(_REPLACEMENTS)), key="by")
    ]
    _some(face, network, modules, by)
    _each(face, network, modules, by)


_REPLACEMENTS: dict[str, Replacement] = {"its mean weights": "mean", "its input, unchanged": "identity"}
_MEANINGS = {
    "mean": "all positions, or channels, then have the same weight, the mean of the gate on this face",
    "identity": "it then returns its input unchanged, so the scaling of its gate is lost too",
}


def _some(face: Face, network: str, modules: tuple[Module, ...], by: Replacement) -> None:
    off = []
    for start in range(0, len(modules), 4):  # row by row, so that they stand in order on a phone too
        for i, column in zip(range(start, min(start + 4, len(modules))), st.columns(4), strict=False):
            name, key = f"Module {label(i, modules[i])}", f"module{i + 1}"
            if not column.toggle(name, value=True, key=key, bind="query-params"):
                off.append(modules[i].layer)
    found = services.attention.ablation(face, network, off, by)
    left, right = st.columns([2, 1])
    with left:
        charts.show(
            charts.logit_pairs(found.classes, found.logits, found.without if off else None),
            "logits",
            "Logit of each class with all modules" + (f" and without {', '.join(off)}" if off else ""),
        )
    with right:
        before = f"{found.predicted}, {charts.percent(float(found.probabilities.max()))}"
        if not off:
            views.caption(
                f"**Prediction with all modules: {before}.** Switch one off: {_MEANINGS[by]}. Pale bars show the new "
                "logits."
            )
            return
        after = f"{found.predicted_without}, {charts.percent(float(found.probabilities_without.max()))}"
        class_, change = found.largest_change
        views.caption(
            f"**Prediction without {'it' if len(off) == 1 else 'them'}: {after}** (with all: {before}). The logit of "
            f"{class_} changes most, by {charts.hundredths(change)}. The other layers were trained with the module, so "
            "this is not what training without it would give."
        )


def _each(face: Face, network: str, modules: tuple[Module, ...], by: Replacement) -> None:
    """Draw a table with each module replaced alone, and all together."""
    names = {module.layer: f"module {label(i, module)}" for i, module in enumerate(modules)}
    rows = []
    key = ("switched", face.key, network, by)
    for row in state.cached(key, lambda: services.attention.ablation_each(face, network, by)):
        index, (class_, change) = row.classes.index(row.predicted), row.largest_change
        off = names[row.off[0]] if len(row.off) == 1 else "all of them"
        left, now = (charts.percent(float(p[index])) for p in (row.probabilities, row.probabilities_without))
        sign = ("+" if change > 0 else "") + charts.hundredths(change)
        rows.append(f"| {off} | {row.predicted_without} | {left} → {now} | {class_} {sign} |")
    head = (
        f"| replaced | prediction | probability of {row.predicted} | largest change of a logit |\n|---|---|---:|---:|"
    )
    st.markdown("\n".join([head, *rows]))
    what = "Each module replaced alone, then all" if len(modules) > 1 else "The module replaced"
    limit = (
        "Without small weights, later layers receive larger values than in training, so a large change does not prove "
        "that the module matters. "
        if by == "identity"
        else ""
    )
    views.caption(f"**{what}:** {_MEANINGS[by]}. {limit}Only training without it shows whether it improves accuracy.")


def class_branches(face: Face, network: str) -> None:
    """Draw the contribution of each class branch; nothing for a network without class branches."""
    found = state.cached(("branches", face.key, network), lambda: services.attention.branches(face, network))
    if found is None:
        return
    st.header("Class branches")
    rows = [f"without the branch of {name}" for name in found.classes]
    chart = charts.change_table(rows, list(found.classes), found.change)
    charts.show(chart, "branches", "Change of every logit without one class branch")
    own = ", ".join(found.own) or "none"
    views.caption(
        "**Change of each logit (column) when the branch of one class (row) is set to zero.** Classes whose own logit "
        f"then drops most: {own}. The fusion layer uses all branches, so only training ties one to its class."
    )
