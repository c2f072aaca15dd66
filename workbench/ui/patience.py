"""Questions that take long: asked at once where that is quick, and otherwise when the visitor says so."""

from __future__ import annotations

import streamlit as st

from workbench import services

_AT_ONCE = 4.0  # seconds


def ready(network: str, pictures: int, what: str, key: str) -> bool:
    """Whether a network may be asked about so many pictures now; where that takes long, a button stands here first.

    Args:
        network: who is asked.
        pictures: how many.
        what: what the button says before the time.
        key: of the button and of the question; must hold the face and the network, so that a new one asks again.
    """
    with st.spinner("Looking how fast the network is"):
        seconds = pictures * services.pace(network)
    asked: set[str] = st.session_state.setdefault("asked", set())
    if seconds < _AT_ONCE or key in asked:
        return True
    st.info(f"This asks the network about {pictures} pictures, which takes about {seconds:.0f} s on this computer.")
    st.button(what, key=f"ask-{key}", on_click=asked.add, args=(key,), type="primary")
    return False
