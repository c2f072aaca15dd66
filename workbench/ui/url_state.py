"""The link: what is chosen stands in the page's address, so that it opens the same view in another browser.

Streamlit ties a widget to the address by itself (`bind="query-params"`), and pages use that. Of a select box it would
write the label ("C · Residual CNN · 68.8 %"), which is neither short nor stable, so the sidebar's choices are written
here, by name: `?network=resnet18&sample=astronaut`, or `?set=fer2013&face=PrivateTest-0123456789abcdef-0`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def begin() -> None:
    """At the start of a run: remember what the link asks for, if the visitor has just come by it or went back to it."""
    context = get_script_run_ctx()
    here = {key: st.query_params.get_all(key) for key in st.query_params}
    if "link" not in st.session_state or (context and context.is_history_navigation):
        st.session_state["link"], st.session_state["arriving"] = here, True
    else:
        st.session_state["link"] = {key: old for key, old in st.session_state["link"].items() if key in here}
    st.session_state["link_notes"] = []


def asked(key: str) -> str | None:
    """What the link asks for under `key`, once at each arrival; None where it says nothing."""
    return (st.session_state["link"].pop(key, None) or [None])[-1] if st.session_state["arriving"] else None


def note(sentence: str) -> None:
    """Say on the page that the link asked for something that is not there."""
    st.session_state["link_notes"].append(sentence)


def quoted(word: str) -> str:
    """What stands in a link, as code in Markdown: whoever made the link must not format our page."""
    return f"`{' '.join(word.replace('`', ' ').split())[:60]}`"


def put(choices: Mapping[str, str | None], defaults: Mapping[str, str]) -> None:
    """Write choices into the link; None takes one out. As long as all are the defaults, the address stays short."""
    st.session_state["arriving"] = False
    here = [key for key in choices if key in st.query_params]
    if not here and all(value in (None, defaults.get(key)) for key, value in choices.items()):
        return
    wanted = {key: value for key, value in choices.items() if value is not None}
    for key in set(here) - set(wanted):
        del st.query_params[key]
    if any(st.query_params.get(key) != value for key, value in wanted.items()):
        st.query_params.update(wanted)


def check() -> None:
    """After the page has run: remember each value of the link that a widget could not take."""
    for key in [key for key in st.session_state["link"] if key in st.session_state and _is_widget(key)]:
        wanted, value = st.session_state["link"].pop(key), st.session_state[key]
        if st.query_params.get_all(key) != wanted and not _same(wanted, value):
            note(f"The link asks for `{key}` = {quoted(', '.join(wanted))}, which does not fit; shown is {value}.")


def warn() -> None:
    """Say what the link asked for and did not get, in one box."""
    if st.session_state["link_notes"]:
        st.warning("  \n".join(st.session_state["link_notes"]))


def _is_widget(key: str) -> bool:
    """Whether a key of the link is that of a widget, and not of what else is remembered of a visitor."""
    with get_script_run_ctx().session_state.query_params() as params:
        return params.is_bound(key) or key == "lesson"


def _same(wanted: list[str], value: Any) -> bool:
    """Whether the words of a link mean a widget's value; a default is meant too, though Streamlit leaves it out."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return len(wanted) == len(values) and all(map(_means, wanted, values))


def _means(word: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return word.lower() == str(value).lower()
    try:
        return float(word) == value
    except ValueError:
        return False
