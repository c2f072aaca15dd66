"""Calibration of stored predictions."""

import pytest

from workbench.services.metrics import calibration, evaluation

NAME = "residual_cnn"


def test_calibration_judges_the_same_predictions_before_and_after_the_temperature():
    found = calibration.of(NAME)
    assert found.temperature == evaluation.stored_predictions(NAME).card.temperature
    assert found.before.count.sum() == found.after.count.sum() == 3589
    assert found.before.ece != found.after.ece
    assert found.risk.risk[-1].item() == pytest.approx(1 - evaluation.scores(NAME).values["accuracy"][0], abs=1e-6)
