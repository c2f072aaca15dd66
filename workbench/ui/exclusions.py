"""Exclusion lists: buttons that put images on one and take them off, for the pages Dataset and Metrics."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from models.datasets import DataError
from models.files import DiskFullError
from models.text import counted
from workbench.services.dataset import exclusions

from . import classroom

_FIRST = "wrong-labels"


def put_on_list(images: Sequence[str], reason: str, key: str, what: str) -> None:
    """Draw the choice of a list and the buttons that put images on it and take them off; for the teacher only.

    Args:
        images: ids of the images.
        reason: reason of a new list.
        key: key of the widgets.
        what: which images, for the buttons, such as "marked image".
    """
    if not classroom.teacher():
        return
    if done := st.session_state.pop(f"{key}-done", ""):
        st.success(done)
    names = exclusions.names() or (_FIRST,)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Exclusion list", names, key=f"{key}-list", accept_new_options=True, width=240, help=_HELP)
        put = st.button(f"Put {counted(len(images), what)} on the list", key=f"{key}-put", disabled=not images)
        listed = [image for image, lists in exclusions.lists_of(images).items() if name in lists]
        take = bool(listed) and st.button(f"Take {counted(len(listed), what)} off the list", key=f"{key}-take")
    if not put and not take:
        return
    name = name or _FIRST
    try:
        found = exclusions.add(name, images, reason) if put else exclusions.take_off(name, listed)
    except (DataError, DiskFullError) as error:
        st.error(str(error))
        return
    st.session_state[f"{key}-done"] = f"The list {name} now has {counted(len(found.hashes), 'image')}."
    st.rerun()


_HELP = (
    "A training run with this list (page Train, or `ferscope train --exclude`) leaves these images out of its training "
    "set. They still count in validation and test sets. Type another name for a new list."
)
