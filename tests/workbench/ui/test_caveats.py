"""Warnings above the results of a page."""

import pytest
from helpers.checkpoint_folders import knows, put
from streamlit.testing.v1 import AppTest

from models import checkpoints


def warnings(network: str, note: str = "") -> list[str]:
    def page(network, note):
        import streamlit as st

        from workbench.ui import caveats

        st.session_state["face_note"] = note
        caveats.show(network)

    app = AppTest.from_function(page, args=(network, note), default_timeout=300).run()
    assert not app.exception
    return [warning.value for warning in app.warning]


@pytest.mark.parametrize(
    ("network", "note", "told"),
    [
        ("residual_cnn", "", []),
        ("residual_cnn", "**No face was detected** here.", ["No face was detected"]),
        ("mobilenet_v1", "", ["Weights not included"]),
        ("mobilenet_v1", "**No face was detected** here.", ["Weights not included", "No face was detected"]),
    ],
)
def test_random_weights_and_an_image_without_a_face_are_named(network, note, told):
    found = warnings(network, note)
    assert len(found) == len(told)
    assert all(words in text for words, text in zip(told, found, strict=True))


def test_a_network_that_was_trained_on_other_images_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    put("vanilla_cnn", knows(range(3)))
    (found,) = warnings("vanilla_cnn")
    assert "Domain shift" in found
    assert "Vanilla CNN was trained on other images than FER2013" in found
