"""Access in a classroom (`ferscope app --lan`): the teacher's token, and the consent notice before an upload."""

from __future__ import annotations

import time

import streamlit as st

from workbench.server import access
from workbench.server.attempts import Attempts, refusal
from workbench.server.connections import LOOPBACK, network
from workbench.server.consent import ACCEPT, notice

from . import state

_KEPT = (
    "An image that you upload goes to the memory of the computer that runs this app, is never written to disk, and is "
    "deleted when you choose another one or close the tab."
)
_HERE = "127.0.0.1"
_attempts = Attempts()  # of all visitors


def teacher() -> bool:
    """Whether this visitor may train, promote and share: always on one's own computer, in a class with the token."""
    return not access.on_the_network() or st.session_state.get("teacher", False)


def owner() -> bool:
    """Whether this visitor sits at the computer that runs the app, and the app is for nobody else.

    Only they may name a path of it: not the visitors of a class, nor its teacher from another computer.
    """
    private = not access.on_the_network() and not access.samples_only() and not access.has_host_names()
    return private and _address() in LOOPBACK


def teacher_or_stop(action: str) -> None:
    """Ask other visitors than the teacher for the access token and end the page; `action` completes "may ..."."""
    if teacher():
        return
    st.info(f"Only the teacher may {action}. The access token was printed when the app was started.")
    with st.form("teacher-form", clear_on_submit=True):
        text = st.text_input("Access token", type="password")
        sent = st.form_submit_button("Enter", type="primary")
    if sent:
        _try(text)
    state.stop()


def _try(text: str) -> None:
    """Make the visitor a teacher if `text` is the token; else show the reason."""
    address = _address()
    if wait := _attempts.begin(address, exempt_from_all=address == _HERE):
        st.error(refusal(wait))
    elif access.is_token(text):
        _attempts.succeeded(address)
        st.session_state["teacher"] = True
        st.rerun()
    else:
        time.sleep(1)  # slows down guessing
        st.error("This is not the token. It is in the terminal in which the app was started.")


def _address() -> str:
    """The visitor's address; Streamlit gives none for the computer that runs the app."""
    return network(st.context.ip_address or _HERE)


def offers(source: str) -> bool:
    """Whether a source of faces is available: with `--samples-only` only samples, in a class no camera."""
    if access.samples_only():
        return source == "Sample"
    return source != "Camera" or not access.on_the_network()


def accepted() -> bool:
    """Whether this visitor may use their own image; in a class they accept the consent notice first."""
    if not access.on_the_network():
        return True
    with st.expander("Before you use your own image", expanded=True):
        st.markdown(notice(shared=False, kept=_KEPT))
        return st.checkbox(ACCEPT, key="accepted", persist_state="session")


def no_camera() -> None:
    """Say why there is no camera in a class."""
    if access.on_the_network():
        st.caption("No camera: browsers allow it only over https, which this local network does not offer.")
