"""A visitor's choices and cached results, for as long as the browser tab is open. Nothing is written to disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

import streamlit as st
from PIL.Image import Image

from models.layers.frequency import Mask
from workbench import services
from workbench.faces import Box, Face, sample_picture, whole
from workbench.services.explain import Explanation
from workbench.services.frequency import FrequencyResponse
from workbench.services.networks import Network

from . import views
from .streamlit_internals import StopException

_REMEMBERED = 16  # results of one visitor


def face() -> Face | None:
    """The face in the toolbar; None if none is chosen or found yet."""
    return st.session_state.get("face")


def face_name() -> str:
    """A description of the face: a sample's title, the id in a dataset, "uploaded image"; empty without a face."""
    return st.session_state.get("face_name", "")


def face_note() -> str:
    """A sentence where no face was detected in the image; else empty."""
    return st.session_state.get("face_note", "")


def network() -> str:
    """Name of the network in the toolbar."""
    return st.session_state.get("network", services.networks.DEFAULT_NETWORK)


def choose_network(name: str) -> None:
    """Choose the network in the toolbar; for a button on a page."""
    st.session_state["network"] = name


def network_button(label: str, name: str, container: Any = st, **more: Any) -> None:
    """Draw a button that chooses the network; also in a tab, where a click by itself runs only the tab again.

    Args:
        label: label of the button.
        name: name of the network.
        container: where it is drawn, for example a column.
        **more: further arguments of `st.button`.
    """
    if container.button(label, on_click=choose_network, args=(name,), **more):
        st.rerun()


def shown_instead(other: str, missing: str) -> str:
    """Say that another network is shown, since the chosen one lacks something, and offer to choose it; return it.

    Args:
        other: name of the network that is shown.
        missing: what the chosen one lacks, in the plural or without an article, such as "attention modules".
    """
    title, chosen = (services.networks.get_spec(name).title for name in (other, network()))
    st.info(
        f"**Shown here: {title},** the most accurate network with {missing} of those whose weights are included. The "
        f"chosen one, {chosen}, has no {missing}."
    )
    network_button(f"Choose {title}", other, key="shown-instead")
    return other


def network_or_stop() -> Network:
    """The network in the toolbar, loaded; if its checkpoint is damaged, show the error and end the page."""
    try:
        return services.networks.open_network(network())
    except ValueError as error:
        st.error(str(error))
        stop()


def face_or_stop() -> Face:
    """The face in the toolbar; if there is none, say why, offer to crop by hand where possible, and end the page."""
    chosen = face()
    if chosen is None:
        st.info(st.session_state.get("no_face"))
        if st.session_state.get("can_crop"):
            st.button("Crop by hand", on_click=_crop_by_hand, type="primary")
        stop()
    return chosen


def stop() -> NoReturn:
    """End the page here, as `st.stop` does, but still show what is below every page (*Export*)."""
    raise StopException


def _crop_by_hand() -> None:
    st.session_state["by_hand"] = True


def choose_class(classes: tuple[str, ...], default: str, label: str = "Map for the class") -> str:
    """Let the visitor choose a class in the main area, kept in the link as `class`.

    Until one is chosen it is `default`, usually the predicted class, and follows it when face or network change. A
    class that the network does not have is replaced by `default`.
    """
    now, before = st.session_state.get("class"), st.session_state.get("class_default", default)
    if now is not None:  # set again on each page: Streamlit forgets a widget that only another page showed
        st.session_state["class"] = default if now not in classes or now == before != default else now
    st.session_state["class_default"] = default
    return views.choose_one(label, classes, default=default, key="class")


def explanation(face: Face, network: str) -> Explanation:
    """The result of `services.explain`, cached for this visitor."""
    return cached(("explain", face.key, network), lambda: services.explain(face, network))


def frequency_response(face: Face, network: str, mask: Mask) -> FrequencyResponse:
    """The result of `services.frequency.frequency_response`, cached for this visitor."""
    return cached(
        ("response", face.key, network, mask), lambda: services.frequency.frequency_response(face, network, mask)
    )


def cached(key: tuple, compute: Callable[[], Any]) -> Any:
    """The cached result under `key`, computed now if there is none; least recently used results are dropped."""
    results: OrderedDict[tuple, Any] = st.session_state.setdefault("results", OrderedDict())
    changed = services.networks.weights_changed()
    if st.session_state.get("results_of") != changed:  # a network has other weights now
        results.clear()
        st.session_state["results_of"] = changed
    if key not in results:
        results[key] = compute()
        while len(results) > _REMEMBERED:
            results.popitem(last=False)
    results.move_to_end(key)
    return results[key]


def picture() -> tuple[Image, Box]:
    """The whole image that the face in the toolbar was cropped from, and its box there.

    A face that was not cropped is its own image.
    """
    chosen = face()
    if chosen.box is None:
        return chosen.picture, whole(chosen.picture)
    if st.session_state.get("source") == "Sample":
        return sample_picture(st.session_state["sample"]), chosen.box
    return st.session_state["picture"][1], chosen.box
