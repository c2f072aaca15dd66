"""The page Frequency: frequency components, hybrid images, amplitude spectrum."""

from functools import partial

import pytest
from helpers import page_visits
from helpers.page_visits import text_of

from workbench import faces, services

opened = partial(page_visits.opened, "frequency.py")
pytestmark = pytest.mark.usefixtures("quick")


def test_the_page_says_which_frequencies_each_mixture_is_named_after():
    app = opened(tab="Hybrid images")
    assert app.selectbox(key="other").value == services.frequency.other_sample(faces.load_sample("astronaut"))
    pair = faces.load_sample("astronaut"), faces.load_sample("grace_hopper")
    assert services.frequency.band_swap(*pair, cutoff=0.2).follows == ("high", "high")
    assert "both hybrid images follow their high frequencies" in text_of(app)
    app.slider(key="cutoff").set_value(0.3).run()
    assert services.frequency.band_swap(*pair, cutoff=0.3).follows == ("low", "low")
    assert "both hybrid images follow their low frequencies" in text_of(app)


def test_two_faces_with_one_prediction_cannot_show_which_frequencies_count():
    app = opened(tab="Hybrid images")
    predicted = services.predict(faces.load_sample("astronaut")).predicted
    same = next(
        s.name for s in faces.samples()[1:] if services.predict(faces.load_sample(s.name)).predicted == predicted
    )
    app.selectbox(key="other").set_value(same).run()
    assert not app.exception
    assert "Both faces are predicted happy" in text_of(app)


def test_the_other_face_gives_way_when_it_becomes_the_face():
    app = opened(tab="Hybrid images")
    app.selectbox(key="sample").set_value("grace_hopper").run()
    assert not app.exception
    assert not app.error
    assert app.selectbox(key="other").value != "grace_hopper"


def test_a_slow_network_runs_only_after_a_click(monkeypatch):
    monkeypatch.setattr("workbench.ui.slow_requests.pace", lambda network: 1.0)
    app = opened()
    assert "about 49 s" in text_of(app)
    assert "Low frequencies only" not in text_of(app)
    assert "High frequencies" in text_of(app), "what needs no network is there at once"
    next(button for button in app.button if button.label == "Classify both components").click().run()
    assert not app.exception
    assert "Low frequencies only" in text_of(app)


@pytest.mark.parametrize("mask", ["gaussian", "butterworth"])
def test_a_soft_mask_changes_every_part_of_the_page(mask):
    app = opened(tab="Color")
    app.segmented_control(key="mask").set_value(mask).run()
    assert not app.exception
    parts = services.frequency.channels(faces.load_sample("astronaut"), 0.2, mask)
    assert f"red and green {float(parts.correlation[0, 1]):.2f}" in text_of(app)
