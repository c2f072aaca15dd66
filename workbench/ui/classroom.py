"""What differs when a class looks on (`ferscope app --lan`): the teacher's token, and the notice before a picture."""

from __future__ import annotations

import time

import streamlit as st

from workbench.server import access
from workbench.server.attempts import Attempts, refusal
from workbench.server.connections import network
from workbench.server.consent import ACCEPT, notice

from . import state

_KEPT = (
    "A picture that you upload goes to the memory of the computer that runs this app, is never written to disk, and is "
    "dropped when you choose another one or close the tab."
)
_HERE = "127.0.0.1"
_attempts = Attempts()  # of all visitors


def teacher() -> bool:
    """Whether this visitor may train, promote and share: always on one's own computer, with the token in a class."""
    return not access.on_the_network() or st.session_state.get("teacher", False)


def teacher_or_stop(what: str) -> None:
    """Ask for the teacher's token where a class looks on, and end the page without it; `what` names what it is for."""
    if teacher():
        return
    st.info(f"Only the teacher may {what}: the token was printed when the app was started.")
    with st.form("teacher-form", clear_on_submit=True):
        text = st.text_input("Teacher's token", type="password")
        sent = st.form_submit_button("Enter", type="primary")
    if sent:
        _try(text)
    state.stop()


def _try(text: str) -> None:
    """Make the visitor a teacher if `text` is the token; say why not otherwise."""
    address = _address()
    if wait := _attempts.begin(address, exempt_from_all=address == _HERE):
        st.error(refusal(wait))
    elif access.is_token(text):
        _attempts.succeeded(address)
        st.session_state["teacher"] = True
        st.rerun()
    else:
        time.sleep(1)  # guessing takes time
        st.error("This is not the token. Look at the terminal in which the app was started.")


def _address() -> str:
    """The visitor's; Streamlit gives none for the computer that runs the app."""
    return network(st.context.ip_address or _HERE)


def offers(source: str) -> bool:
    """Whether faces may come from there: `--samples-only` leaves the samples, and in a class there is no camera."""
    if access.samples_only():
        return source == "Sample"
    return source != "Camera" or not access.on_the_network()


def accepted() -> bool:
    """Whether this visitor may use a picture of his own; in a class the notice comes first."""
    if not access.on_the_network():
        return True
    with st.expander("Before you use your own face", expanded=True):
        st.markdown(notice(shared=False, kept=_KEPT))
        return st.checkbox(ACCEPT, key="accepted", persist_state="session")


def no_camera() -> None:
    """Say why no camera is offered in a class."""
    if access.on_the_network():
        st.caption("No camera: browsers give it to a page only over https, which the local network has not.")
