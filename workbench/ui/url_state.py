"""The state in the address: a link opens the same view in another browser.

Streamlit keeps a widget in the address by itself (`bind="query-params"`), and pages use that. Of a select box it would
write the label ("C · Residual CNN · 68.8 %"), which is neither short nor stable, so networks and faces are written
here, by name: `?network=resnet18&sample=astronaut`, or `?set=fer2013&face=PrivateTest-0123456789abcdef-0`. For networks
on a page see `choose_by_name`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import streamlit as st

from . import streamlit_internals

EARLIER: dict[str, dict[str, str]] = {
    "tab": {"How sure": "Uncertainty", "Trust": "Faithfulness", "Own maps": "Attention maps"},
    "way": {"as it arrives": "as computed"},
    "copies": {"pixel by pixel": "exact duplicates", "nearly as well": "near-duplicates too"},
    "images": {"without copies": "without duplicates", "without near copies": "without near-duplicates"},
    "test": {"Ask again": "Repeated runs", "Turned face": "Rotations", "Numbers": "Input range"},
    "fault": {
        "the one that the number hides": "chosen by the number",
        "Wrong normalisation": "Wrong normalization",
        "Turned picture": "Rotated image",
        "Wrong layer for the map": "Wrong target layer",
    },
}
"""Values that a control had in the address before its options were renamed: key of the control → old → new."""
EARLIER_KEYS = {"answer": "predicted", "pictures": "images", "look": "tab"}
"""Keys of controls in the address before they were renamed: old → new."""


def begin() -> None:
    """Read the link at the start of a run, if the visitor has just followed it or went back to it."""
    history = streamlit_internals.is_history_navigation()
    if history:
        streamlit_internals.restore_query_params()
    here = _renamed({key: st.query_params.get_all(key) for key in st.query_params})
    if "link" not in st.session_state or history:
        st.session_state["link"], st.session_state["arriving"] = here, True
    else:
        st.session_state["link"] = {key: old for key, old in st.session_state["link"].items() if key in here}
    st.session_state["link_notes"] = []


def _renamed(link: dict[str, list[str]]) -> dict[str, list[str]]:
    """The link with today's keys and values in place of `EARLIER_KEYS` and `EARLIER`; changes the address too."""
    outdated = [key for key in EARLIER_KEYS if key in link]
    named = {EARLIER_KEYS[key]: link[key] for key in outdated}
    named |= {key: values for key, values in link.items() if key not in outdated}
    renamed = {key: [EARLIER.get(key, {}).get(value, value) for value in values] for key, values in named.items()}
    if changed := {key: values for key, values in renamed.items() if values != link.get(key)}:
        streamlit_internals.replace_query_params(changed)
    for key in outdated:
        del st.query_params[key]
    return renamed


def requested(key: str) -> str | None:
    """The value of `key` in the link, once after each arrival; None if it has none."""
    return (st.session_state["link"].pop(key, None) or [None])[-1] if st.session_state["arriving"] else None


def note(sentence: str) -> None:
    """Report on the page that something in the link does not exist."""
    st.session_state["link_notes"].append(sentence)


def quoted(word: str) -> str:
    """A value of a link as code in Markdown, at most 60 characters, so that a link cannot format the page."""
    return f"`{' '.join(word.replace('`', ' ').split())[:60]}`"


def write(choices: Mapping[str, str | None], defaults: Mapping[str, str]) -> None:
    """Write choices into the address; None removes one. Nothing is written while all are the defaults."""
    st.session_state["arriving"] = False
    here = [key for key in choices if key in st.query_params]
    if not here and all(value in (None, defaults.get(key)) for key, value in choices.items()):
        return
    wanted = {key: value for key, value in choices.items() if value is not None}
    for key in set(here) - set(wanted):
        del st.query_params[key]
    if any(st.query_params.get(key) != value for key, value in wanted.items()):
        st.query_params.update(wanted)


def choose_by_name(
    label: str, titles: Mapping[str, str], default: Any, key: str, container: Any = st, **more: Any
) -> Any:
    """A select box that shows titles and stands in the link by name, as `key`; a multiselect if `default` is a list.

    Args:
        label: label of the control.
        titles: name of each option → its title.
        default: name, or list of names, chosen at first and in place of unknown ones.
        key: key in the link and in the session's state.
        container: container that it is drawn in, for example a column.
        **more: further arguments of the control.
    """
    several, link = isinstance(default, list), st.session_state["link"].pop(key, None)
    if link is not None:
        st.session_state[key] = [name for name in link if name] if several else link[-1]
    elif streamlit_internals.is_history_navigation():
        st.session_state.pop(key, None)
    wanted = st.session_state.get(key, default)
    names = wanted if several else [wanted]
    known = [name for name in names if name in titles]
    value = (known if known or not names else default) if several else wanted if known else default
    if link is not None and value != wanted:
        _note_invalid(key, names, value)
    if st.session_state.get(key) != value:
        st.session_state[key] = value
    draw = container.multiselect if several else container.selectbox
    chosen = draw(label, list(titles), format_func=titles.get, key=key, persist_state="page", **more)
    if chosen != default:
        st.query_params[key] = chosen or ""
    elif key in st.query_params:
        del st.query_params[key]
    return chosen


def forget(keys: Iterable[str]) -> None:
    """Remove from the address what `choose_by_name` has written there, if it is not drawn any more."""
    for key in keys:
        if key in st.query_params and key in st.session_state and not streamlit_internals.is_bound(key):
            del st.query_params[key]


def check() -> None:
    """Report each value of the link that its widget did not accept; call it after the page has run."""
    for key in [key for key in st.session_state["link"] if key in st.session_state and _is_widget(key)]:
        wanted, value = st.session_state["link"].pop(key), st.session_state[key]
        if st.query_params.get_all(key) != wanted and not _same(wanted, value):
            _note_invalid(key, wanted, value)


def _note_invalid(key: str, wanted: list[str], value: Any) -> None:
    note(f"The link has `{key}` = {quoted(', '.join(wanted))}, which is not valid here; using {value} instead.")


def warn() -> None:
    """Draw all notes about the link in one box."""
    if st.session_state["link_notes"]:
        st.warning("  \n".join(st.session_state["link_notes"]))


def _is_widget(key: str) -> bool:
    """Whether a key of the link belongs to a widget, not to something else in the session's state."""
    return streamlit_internals.is_bound(key) or key == "lesson"


def _same(wanted: list[str], value: Any) -> bool:
    """Whether the text of a link equals a widget's value."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return len(wanted) == len(values) and all(map(_means, wanted, values))


def _means(word: str, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return word.lower() == str(value).lower()
    try:
        return float(word) == value
    except ValueError:
        return False
