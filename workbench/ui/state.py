"""What a visitor has chosen, for as long as the browser tab is open. Nothing of it is written to disk."""

from __future__ import annotations

from collections import OrderedDict

import streamlit as st

from workbench import services
from workbench.faces import Face
from workbench.services import Explanation

_REMEMBERED = 16  # explanations of one visitor; the oldest is dropped


def face() -> Face | None:
    """The face in the sidebar; None when the picture holds none that is chosen yet."""
    return st.session_state.get("face")


def network() -> str:
    """Name of the network in the sidebar."""
    return st.session_state.get("network", services.DEFAULT_NETWORK)


def choose_network(name: str) -> None:
    """Set the network in the sidebar; for a button on a page."""
    st.session_state["network"] = name


def face_or_stop() -> Face:
    """The face in the sidebar; where there is none, say why, offer a way on, and end the page."""
    chosen = face()
    if chosen is None:
        st.info(st.session_state.get("no_face"))
        if st.session_state.get("picture"):
            st.button("Crop by hand", on_click=_crop_by_hand, type="primary")
        st.stop()
    return chosen


def _crop_by_hand() -> None:
    st.session_state["by_hand"] = True


def explanation(face: Face, network: str) -> Explanation:
    """What `services.explain` answers, kept for this visitor only, so that a redrawn page need not ask again."""
    kept: OrderedDict[tuple[str, str], Explanation] = st.session_state.setdefault("explanations", OrderedDict())
    key = (face.key, network)
    if key not in kept:
        kept[key] = services.explain(face, network)
        while len(kept) > _REMEMBERED:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
