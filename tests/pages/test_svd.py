"""The page SVD: low-rank approximations, SVD attention step by step, its effect and its cost."""

from functools import partial

import pytest
from helpers import page_visits
from helpers.page_visits import text_of

from models.text import signed
from workbench import faces, services
from workbench.services.svd import PAPER_D

opened = partial(page_visits.opened, "svd.py")
pytestmark = pytest.mark.usefixtures("quick")


def test_the_page_states_the_rank_that_suffices_for_the_prediction():
    app = opened()
    found = services.svd.rank_predictions(faces.load_sample("astronaut"))
    assert f"From rank {found.enough} of 48 on, the prediction stays happy" in text_of(app)
    app.slider(key="rank").set_value(2).run()
    assert not app.exception
    now = found.classes[int(found.probabilities[1].argmax())]
    assert f"at rank 2: {now}" in text_of(app)


def test_the_gate_of_a_trained_network_has_no_banner_and_is_beside_other_faces():
    app = opened(tab="SVD attention", network="efficientnet_lite0_svd_hfc")
    assert "Weights not included" not in text_of(app)
    spread = services.svd.gate_spread("efficientnet_lite0_svd_hfc", "attention.2")
    app.segmented_control(key="module").set_value("module 3").run()
    assert not app.exception
    told = text_of(app)
    assert "as trained" in told
    assert f"{float(spread.mean()):.2f} on average, {float(spread.max()):.2f} at most" in told


def test_the_gate_of_an_untrained_network_stands_under_the_banner():
    app = opened(tab="SVD attention", network="resnet18_svd_lfc")
    assert "Weights not included" in text_of(app)
    assert "with random weights" in text_of(app)


def test_what_the_module_brought_stands_beside_the_paper():
    told = text_of(opened(tab="Results"))
    for gain in services.svd.gains():
        title = services.networks.get_spec(gain.network).title + (", normalized" if gain.normalize else "")
        row = next(line for line in told.splitlines() if line.startswith(f"| {title} |"))
        assert all(f"{100 * seed:.1f}" in row for seed in gain.other_seeds)
        ours = gain.network not in PAPER_D
        assert (gain.reported is None) == ours
        assert ("not in the paper" if ours else signed(100 * gain.reported, 2)) in row
        assert (signed(100 * gain.difference[0], 1) if gain.difference else "not run") in row
        if gain.difference:  # the two figures in the row are of the same view
            assert f"{100 * (gain.plain_accuracy[0] + gain.difference[0]):.1f} (" in row


def test_a_normalized_network_says_that_its_singular_values_are_divided():
    app = opened(tab="SVD attention", network="resnet18_svd_hfc_normalized")
    assert "divided by the largest (our variant)" in text_of(app)
    assert "divided by the largest (our" not in text_of(opened(tab="SVD attention", network="resnet18_svd_hfc"))


def test_the_memory_of_the_paper_is_computed_and_not_copied():
    told = text_of(opened(tab="Results"))
    assert "| Kronecker product over the batch as well | 600.25\N{NO-BREAK SPACE}GiB |" in told
    assert "a factor of 12\N{NARROW NO-BREAK SPACE}544" in told


def test_a_slow_network_runs_only_after_a_click(monkeypatch):
    monkeypatch.setattr("workbench.ui.slow_requests.pace", lambda network: 1.0)
    app = opened()
    assert "about 49 s" in text_of(app)
    assert "the prediction stays" not in text_of(app)
    next(button for button in app.button if button.label == "Classify every rank").click().run()
    assert "the prediction stays happy" in text_of(app)
