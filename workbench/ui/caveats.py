"""Warnings above the results of a page: what the chosen network and face do not allow to conclude."""

from __future__ import annotations

import streamlit as st

from workbench import services

from . import model_picker, state


def show(network: str) -> None:
    """Warn of random weights, of other training images than FER2013's, and of an image without a detected face."""
    of_network(network)
    of_face()


def of_network(network: str) -> None:
    """Warn of random weights, and of a network that was trained on other images than FER2013's."""
    card = services.networks.open_network(network).card
    if card is None:
        model_picker.random_weights_banner(network)
    elif not services.metrics.evaluation.is_of_fer2013(card):
        st.warning(
            f"**Domain shift.** {services.networks.get_spec(network).title} was trained on other images than FER2013: "
            "for a face unlike those, its predictions mean little."
        )


def of_face() -> None:
    """Warn if no face was detected in the image that the face in the toolbar was cropped from."""
    if note := state.face_note():
        st.warning(note)
