"""The upper part of the sidebar: choose a network."""

from __future__ import annotations

import streamlit as st

from models.checkpoints import CheckpointError, read_card
from workbench import services


def choose() -> None:
    """Let the visitor choose a network; `state.network()` is the result."""
    name = st.selectbox("Network", services.network_names(), format_func=_label, key="network")
    accuracy = _accuracy(name)
    if accuracy is None:
        st.caption("Untrained: random weights, which answer nothing.")
    else:
        st.caption(f"Names {100 * accuracy:.1f} % of FER2013's PrivateTest faces as the raters did.")


def random_weights_banner(network: str) -> None:
    """What stands above every result of a network that was not trained."""
    st.warning(
        f"**Random weights.** {network} has no trained weights here, so its answers and maps mean nothing. "
        f"Train it with `ferscope train --model {network}`, or choose another network."
    )


def _label(name: str) -> str:
    accuracy, title = _accuracy(name), services.get_spec(name).title
    return title if accuracy is None else f"{title}, {100 * accuracy:.1f} %"


def _accuracy(name: str) -> float | None:
    """Share of right answers on PrivateTest with flip averaging; None for an untrained network."""
    try:
        return read_card(name).metrics["PrivateTest"]["flip"]["accuracy"]
    except (CheckpointError, KeyError):
        return None
