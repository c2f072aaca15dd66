"""Network and face, above the content of every page."""

from __future__ import annotations

import streamlit as st

from workbench import services

from . import face_input, model_picker, state


def choose(used: tuple[str, ...]) -> dict[str, str | None]:
    """Draw the toolbar; return the choices as query parameters.

    Args:
        used: the parts that the page uses: "network", "face". Others are hidden, not left out, since Streamlit forgets
            widgets that are not drawn.
    """
    with st.container(key="toolbar", horizontal=True, vertical_alignment="center", gap="small", wrap=False):
        with st.container(key="choose-network", horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            choices: dict[str, str | None] = {**model_picker.choose()}
        with st.container(
            key="choose-face", horizontal=True, vertical_alignment="center", gap="small", wrap=False, width="content"
        ):
            thumbnail = st.empty()
            with st.popover("Face"):
                choices |= face_input.choose()
            if face := state.face():
                thumbnail.image(face.picture.resize((44, 44)), width=44, alt=f"The face: {state.face_name()}")
    chosen = {"network": services.networks.get_spec(state.network()).title, "face": state.face_name() or "none"}
    hidden = [part for part in chosen if part not in used]
    if len(hidden) == len(chosen):
        hidden.append("toolbar")
    names = [".st-key-toolbar" if part == "toolbar" else f".st-key-choose-{part}" for part in hidden]
    if names:
        st.html(f"<style>{', '.join(names)} {{display: none}}</style>")
    return choices
