"""Two networks on the same images, and the effect of leaked images."""

import dataclasses
from math import comb

import numpy as np
import pytest

from models.checkpoints import CheckpointError
from workbench import services
from workbench.services.metrics import evaluation, paired_tests


def test_mcnemars_test_is_the_binomial_of_the_images_that_tell_apart():
    found = services.metrics.paired_tests.pair("resnet18", "vanilla_cnn")
    x, n = min(found.first_only, found.second_only), found.first_only + found.second_only
    expected = sum(comb(n, i) for i in range(x + 1)) * 2 / 2**n
    assert found.p_value == pytest.approx(expected, rel=1e-6)
    assert found.both_right + n + found.neither == 3589


def test_the_difference_is_that_of_the_two_accuracies():
    found = services.metrics.paired_tests.pair("residual_cnn", "resnet18", "PublicTest")
    ours, theirs = (
        services.metrics.evaluation.scores(name, "PublicTest").values["accuracy"][0]
        for name in ("residual_cnn", "resnet18")
    )
    value, low, high = found.accuracy
    assert value == pytest.approx(ours - theirs, abs=1e-6)
    assert low < value < high
    assert found.p_value < 0.001


def test_exchanging_the_two_exchanges_the_signs():
    one, other = (
        services.metrics.paired_tests.pair("resnet18", "vanilla_cnn"),
        services.metrics.paired_tests.pair("vanilla_cnn", "resnet18"),
    )
    assert one.p_value == other.p_value
    assert (one.first_only, one.second_only) == (other.second_only, other.first_only)
    assert one.accuracy[0] == pytest.approx(-other.accuracy[0])


def test_a_network_compared_with_itself_never_differs():
    found = services.metrics.paired_tests.pair("resnet18", "resnet18")
    assert (found.first_only, found.second_only, found.p_value) == (0, 0, 1.0)
    assert found.accuracy == (0, 0, 0)


@pytest.mark.parametrize(("change", "words"), [("classes", "different classes"), ("ids", "different images")])
def test_what_cannot_be_compared_is_said(monkeypatch, change, words):
    def other(name, part, pictures):
        given = evaluation.stored_predictions(name, part, pictures)
        if name != "resnet18":
            return given
        if change == "ids":
            return dataclasses.replace(given, ids=np.char.add(given.ids, "x"))
        return dataclasses.replace(
            given, card=dataclasses.replace(given.card, classes=(*given.card.classes, "contempt"), metrics={})
        )

    monkeypatch.setattr(paired_tests, "stored_predictions", other)
    with pytest.raises(CheckpointError, match=words):
        services.metrics.paired_tests.pair("residual_cnn", "resnet18")


def test_leaked_images_and_the_others_make_up_the_accuracy():
    accuracy = services.metrics.evaluation.scores("residual_cnn").values["accuracy"][0]
    exact, near = services.metrics.paired_tests.leak_effects("residual_cnn")
    assert (exact.n_images, near.n_images) == (288, 480)
    for seen in (exact, near):
        n = seen.n_images
        assert n * seen.on[0] + (3589 - n) * seen.without[0] == pytest.approx(3589 * accuracy, rel=1e-6)
    without = services.metrics.evaluation.scores("residual_cnn", "PrivateTest", "without near-duplicates").values[
        "accuracy"
    ]
    assert near.without == pytest.approx(without)
