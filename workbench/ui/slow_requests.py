"""Slow computations: run at once where they are quick, otherwise after a click."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from workbench.analysis.progress import reported_to
from workbench.services.robustness import pace

_AT_ONCE = 4.0  # seconds
_PATIENCE = 1.0  # seconds without a bar


def ready(network: str, images: int, label: str, key: str) -> bool:
    """Whether a number of forward passes may run now; if they are slow, draw a button and wait for the click.

    Args:
        network: name of the network.
        images: number of forward passes.
        label: label of the button.
        key: key of the button and the request; include face and network, so that another one needs another click.
    """
    if at_once(network, images, key):
        return True
    seconds = images * pace(network)
    st.info(f"This needs {images} forward passes, about {seconds:.0f} s on this computer.")
    st.button(label, key=f"ask-{key}", on_click=_requested().add, args=(key,), type="primary")
    return False


@contextmanager
def running(text: str, images: int) -> Iterator[None]:
    """Say what is computed; after a second show how far it is. *Stop*, or another choice, then ends it.

    Args:
        text: what is computed.
        images: number of forward passes, as for `ready`.
    """
    begun, done, place = time.monotonic(), 0, st.empty()

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if time.monotonic() - begun > _PATIENCE:
            # Here Streamlit ends the run if it is no longer wanted.
            place.progress(min(1.0, done / images), f"{done} of {images} forward passes")

    with st.spinner(text), reported_to(tell):
        yield
    place.empty()


def at_once(network: str, images: int, key: str) -> bool:
    """Whether so many forward passes are quick, or the visitor has requested them; arguments as for `ready`."""
    with st.spinner("Measuring the speed of the network"):
        return images * pace(network) < _AT_ONCE or key in _requested()


def _requested() -> set[str]:
    return st.session_state.setdefault("requested", set())
