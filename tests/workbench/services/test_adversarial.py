"""The smallest adversarial change of a sample face: what is shown is what the network predicts."""

from __future__ import annotations

import pytest

from workbench import faces, services
from workbench.services.adversarial import adversarial


def test_both_images_are_explained_and_the_difference_is_in_gray_levels():
    face = faces.load_sample("astronaut")
    found = adversarial(face, "residual_cnn", "pgd")
    assert found.before.prediction.predicted == services.predict(face, "residual_cnn").predicted
    assert found.change.level is not None
    assert found.after.prediction.predicted != found.before.prediction.predicted
    assert (found.after.pixels == found.change.pixels[0]).all()
    assert float(found.difference.abs().max()) == pytest.approx(found.change.level, abs=1e-3)
    assert (found.before.class_, found.after.class_) == (
        found.before.prediction.predicted,
        found.after.prediction.predicted,
    )
