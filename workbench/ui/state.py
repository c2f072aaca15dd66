"""What a visitor has chosen, for as long as the browser tab is open. Nothing of it is written to disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

import streamlit as st
from PIL.Image import Image
from streamlit.runtime.scriptrunner import StopException

from models.layers.frequency import Mask
from workbench import services
from workbench.faces import Box, Face, sample_picture, whole
from workbench.services.explain import Explanation
from workbench.services.frequency import FrequencyResponse
from workbench.services.networks import Network

from . import views

_REMEMBERED = 16  # answers to one visitor


def face() -> Face | None:
    """The face in the sidebar; None when the picture holds none that is chosen yet."""
    return st.session_state.get("face")


def face_name() -> str:
    """What to call the face in words: a sample's title, the id in a set, "uploaded picture"; empty without a face."""
    return st.session_state.get("face_name", "")


def network() -> str:
    """Name of the network in the sidebar."""
    return st.session_state.get("network", services.networks.DEFAULT_NETWORK)


def choose_network(name: str) -> None:
    """Set the network in the sidebar; for a button on a page."""
    st.session_state["network"] = name


def network_or_stop() -> Network:
    """The network in the sidebar, open; where its checkpoint is damaged, say what to do, and end the page."""
    try:
        return services.networks.open_network(network())
    except ValueError as error:
        st.error(str(error))
        stop()


def face_or_stop() -> Face:
    """The face in the sidebar; where there is none, say why, offer a way on, and end the page."""
    chosen = face()
    if chosen is None:
        st.info(st.session_state.get("no_face"))
        if st.session_state.get("can_crop"):
            st.button("Crop by hand", on_click=_crop_by_hand, type="primary")
        stop()
    return chosen


def stop() -> NoReturn:
    """End the page here, as `st.stop` does; but what stands below every page (*Keep this*) is still shown."""
    raise StopException


def _crop_by_hand() -> None:
    st.session_state["by_hand"] = True


def choose_class(classes: tuple[str, ...], default: str, label: str = "Map for the class") -> str:
    """Let the visitor choose a class in the main area; it stands in the link as `class`.

    Until one is chosen it is `default`, usually the network's answer, also when that changes with the face or the
    network. A class that this network does not have gives way to `default`.
    """
    now, before = st.session_state.get("class"), st.session_state.get("class_default", default)
    if now is not None:  # set anew on each page: a control that only another page showed would be forgotten
        st.session_state["class"] = default if now not in classes or now == before != default else now
    st.session_state["class_default"] = default
    return views.one_of(label, classes, default=default, key="class")


def explanation(face: Face, network: str) -> Explanation:
    """What `services.explain` answers, kept for this visitor, so that a redrawn page need not ask again."""
    return kept(("explain", face.key, network), lambda: services.explain(face, network))


def frequency_response(face: Face, network: str, mask: Mask) -> FrequencyResponse:
    """What `services.frequency.frequency_response` answers, kept in the same way."""
    return kept(
        ("response", face.key, network, mask), lambda: services.frequency.frequency_response(face, network, mask)
    )


def kept(key: tuple, ask: Callable[[], Any]) -> Any:
    """The answer to a question that this visitor asked before, or asked now; the oldest ones are dropped."""
    answers: OrderedDict[tuple, Any] = st.session_state.setdefault("answers", OrderedDict())
    if st.session_state.get("answers_of") != (
        now := services.networks.weights_changed()
    ):  # a network has other weights now
        answers.clear()
        st.session_state["answers_of"] = now
    if key not in answers:
        answers[key] = ask()
        while len(answers) > _REMEMBERED:
            answers.popitem(last=False)
    answers.move_to_end(key)
    return answers[key]


def picture() -> tuple[Image, Box]:
    """The whole picture that the face in the sidebar was cut out of, and its frame there.

    A face that was a picture to begin with is its own picture.
    """
    chosen = face()
    if chosen.box is None:
        return chosen.picture, whole(chosen.picture)
    if st.session_state.get("source") == "Sample":
        return sample_picture(st.session_state["sample"]), chosen.box
    return st.session_state["picture"][1], chosen.box
