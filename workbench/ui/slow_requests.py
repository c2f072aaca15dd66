"""Questions that take long: asked at once where that is quick, and otherwise when the visitor says so."""

from __future__ import annotations

import streamlit as st

from workbench.services.robustness import pace

_AT_ONCE = 4.0  # seconds


def ready(network: str, pictures: int, what: str, key: str) -> bool:
    """Whether a network may be asked about so many pictures now; where that takes long, a button stands here first.

    Args:
        network: who is asked.
        pictures: how many.
        what: what the button says before the time.
        key: of the button and of the question; must hold the face and the network, so that a new one asks again.
    """
    if at_once(network, pictures, key):
        return True
    seconds = pictures * pace(network)
    st.info(f"This asks the network about {pictures} pictures, which takes about {seconds:.0f} s on this computer.")
    st.button(what, key=f"ask-{key}", on_click=_asked().add, args=(key,), type="primary")
    return False


def at_once(network: str, pictures: int, key: str) -> bool:
    """Whether so many forward passes are quick, or the visitor asked for them; arguments as for `ready`."""
    with st.spinner("Looking how fast the network is"):
        return pictures * pace(network) < _AT_ONCE or key in _asked()


def _asked() -> set[str]:
    return st.session_state.setdefault("asked", set())
