"""Attention rollout of a vision transformer over the face, on the page Attention."""

from __future__ import annotations

import streamlit as st

from models.text import counted
from workbench import services
from workbench.faces import Face

from . import charts, state, views


def section(face: Face, network: str) -> bool:
    """Draw the attention rollout of a network; False, and nothing drawn, where it has none."""
    found = state.cached(("rollout", face.key, network), lambda: services.attention.attention_rollout(face, network))
    if found is None:
        return False
    st.header("Attention rollout")
    left, right = st.columns([1, 2])
    low, high = (float(end) for end in found.values.aminmax())
    with left:
        figure = charts.weights_over_face(found.pixels, found.over_face, "share", low, high)
        charts.show(figure, "rollout", f"Attention rollout over the face, share {low:.2g} to {high:.2g}")
    with right:
        h, w = found.values.shape
        views.caption(
            f"**Attention through {counted(found.blocks, 'block')}:** shares from {low:.3f} to {high:.3f} of "
            f"{h} × {w} patches; uniform attention would give {1 / (h * w):.3f}. It follows where tokens mix, not "
            "what the mixture is used for, and is the same for every class."
        )
        st.latex(
            r"\tilde{A} = \tilde{A}_L \cdots \tilde{A}_2 \tilde{A}_1, \quad \tilde{A}_l = \tfrac{1}{2}(\bar{A}_l + I)"
        )
        st.markdown("Abnar and Zuidema 2020, section 3: the row of the class token, or the mean over all patches.")
    return True
