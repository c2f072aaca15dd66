"""What a visitor has chosen, for as long as the browser tab is open. Nothing of it is written to disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import streamlit as st

from workbench import services
from workbench.faces import Face
from workbench.services import Explanation, FrequencyResponse, Mask

_REMEMBERED = 16  # answers to one visitor


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
    """What `services.explain` answers, kept for this visitor, so that a redrawn page need not ask again."""
    return _kept(("explain", face.key, network), lambda: services.explain(face, network))


def frequency_response(face: Face, network: str, mask: Mask) -> FrequencyResponse:
    """What `services.frequency_response` answers, kept in the same way."""
    return _kept(("response", face.key, network, mask), lambda: services.frequency_response(face, network, mask))


def _kept(key: tuple, ask: Callable[[], Any]) -> Any:
    """The answer to a question that this visitor asked before, or asked now; the oldest ones are dropped."""
    kept: OrderedDict[tuple, Any] = st.session_state.setdefault("answers", OrderedDict())
    if key not in kept:
        kept[key] = ask()
        while len(kept) > _REMEMBERED:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]
