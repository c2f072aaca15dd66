"""The upper part of the sidebar: choose a network."""

from __future__ import annotations

import streamlit as st

from models.checkpoints import CheckpointError, read_card
from workbench import services


def choose() -> None:
    """Let the visitor choose a network; `state.network()` is the result."""
    st.selectbox("Network", services.network_names(), format_func=_label, key="network")


def random_weights_banner(network: str) -> None:
    """What stands above every result of a network that was not trained."""
    st.warning(
        f"**Random weights.** {network} has no trained weights here, so its answers and maps mean nothing. "
        f"Train it with `ferscope train --model {network}`, or choose another network."
    )


def _label(name: str) -> str:
    title = services.get_spec(name).title
    try:
        accuracy = read_card(name).metrics["PrivateTest"]["flip"]["accuracy"]
    except (CheckpointError, KeyError):
        return f"{title} (untrained)"
    return f"{title} ({100 * accuracy:.1f} % right)"
