"""Where a prediction changes, occlusion, and stored curves."""

import json
import shutil
import sys

import pytest
import torch

from models import checkpoints
from workbench import faces, services
from workbench.analysis.corruptions import CORRUPTIONS
from workbench.analysis.robustness import Response
from workbench.services.networks import Network
from workbench.services.robustness import (
    SCORES,
    occlusion,
    occlusion_count,
    occlusion_patch,
    pace,
    survey_minutes,
    surveys,
    tips,
)
from workbench.surveys.robustness import FILE


@pytest.fixture
def face():
    return faces.load_sample("grace_hopper")


def answered(corruption: str, predicted: list[int], share: float = 0.6) -> Response:
    """What a network of three classes might answer at the values of a corruption."""
    values = torch.tensor(CORRUPTIONS[corruption].values, dtype=torch.float64)
    shares = torch.full((len(values), 3), (1 - share) / 2)
    shares[torch.arange(len(values)), torch.tensor(predicted)] = share
    return Response(corruption, values, shares, torch.zeros(len(values), 4, 4))


def test_the_prediction_changes_first_at_the_value_nearest_to_the_neutral_one():
    below, above = tips(answered("shift", [2, 0, 1, 0, 0, 1, 0]))  # -0.3 to 0.3
    assert (below.kept, below.value, below.predicted) == (0, pytest.approx(-0.1), 1)
    assert (above.kept, above.value, above.predicted) == (pytest.approx(0.1), pytest.approx(0.2), 1)
    assert above.share == pytest.approx(0.6)


def test_a_prediction_that_never_changes_has_no_threshold_but_a_measured_range():
    below, above = tips(answered("shift", [0] * 7))
    assert below.value is below.predicted is below.share is above.value is None
    assert (below.kept, above.kept) == (pytest.approx(-0.3), pytest.approx(0.3))


def test_a_change_that_goes_only_one_way_has_one_tip():
    (blur,) = tips(answered("blur", [0, 0, 0, 0, 1, 1, 1]))
    assert (blur.kept, blur.value) == (1.5, 2)
    (quality,) = tips(answered("jpeg", [1, 1, 0, 0, 0, 0, 0, 0]))  # the neutral value is the last one
    assert (quality.kept, quality.value) == (10, 5)


def test_a_real_tip_lies_between_two_neighboring_values(face):
    found = services.robustness(face, "residual_cnn", "rotation")
    predicted = found.probabilities.argmax(1).tolist()
    values = found.values.tolist()
    for tip in tips(found):
        assert abs(values.index(tip.value) - values.index(tip.kept)) == 1
        assert predicted[values.index(tip.value)] == tip.predicted != predicted[values.index(0)]


@pytest.mark.parametrize("share", [1 / 4, 1 / 3, 1 / 2])
def test_the_number_of_images_classified_is_the_one_announced(face, share, monkeypatch):
    asked, answer = [], Network.probabilities
    monkeypatch.setattr(Network, "probabilities", lambda net, x: (asked.append(len(x)), answer(net, x))[1])
    drop = occlusion(face, "residual_cnn", "neutral", share)
    assert sum(asked) == occlusion_count("residual_cnn", share)
    assert drop.shape == (48, 48)
    assert occlusion_patch("residual_cnn", share)[0] == int(48 * share)


def test_occlusion_measures_the_logit_where_the_probability_is_saturated(face):
    probability, logit = (occlusion(face, "residual_cnn", "happy", score=score) for score in SCORES)
    assert float(probability.abs().max()) < 0.05 < 0.2 < float(logit.abs().max())
    with pytest.raises(ValueError, match="probability, logit"):
        occlusion(face, score="loss")


def test_the_pace_of_a_network_is_measured_once(monkeypatch):
    pace.cache_clear()
    first = pace("residual_cnn")
    assert 0 < first < 5
    monkeypatch.setattr(sys.modules["workbench.services.robustness"], "_seconds", lambda net, pixels: 1 / 0)
    assert pace("residual_cnn") == first


def test_the_minutes_of_a_survey_follow_from_the_pace(monkeypatch):
    monkeypatch.setattr(sys.modules["workbench.services.robustness"], "pace", lambda network: 0.06)
    assert survey_minutes("any", 100, ("blur",)) == pytest.approx(100 * 7 * 0.06 / 60)
    values = sum(len(corruption.values) for corruption in CORRUPTIONS.values())
    assert survey_minutes("any", 100) == pytest.approx(100 * (values - 11) * 0.06 / 60)


# ---- curves that were measured before


@pytest.fixture
def measured(tmp_path, monkeypatch):
    """One trained network with a rotation curve beside its weights."""
    folder = tmp_path / "residual_cnn"
    shutil.copytree(checkpoints.checkpoint_folder("residual_cnn"), folder, ignore=shutil.ignore_patterns("*.csv", FILE))
    monkeypatch.setattr(checkpoints, "ROOT", tmp_path)
    values = CORRUPTIONS["rotation"].values
    curve = {
        "values": list(values),
        "accuracy": [0.5] * len(values),
        "interval": [[0.4, 0.6]] * len(values),
    }
    from workbench.surveys.sample import weights_digest

    question = {"part": "PrivateTest", "pictures": 100, "of": 3589, "seed": 0, "data": "x"}
    stored = {**question, "weights": weights_digest(folder), "curves": {"rotation": curve}}
    (folder / FILE).write_text(json.dumps(stored))
    return folder


def test_a_survey_beside_the_weights_is_read_and_the_others_are_not_run(measured):
    found = {survey.network: survey for survey in surveys()}
    assert found["residual_cnn"].found.sample.pictures == 100
    assert list(found["residual_cnn"].found.curves) == ["rotation"]
    assert found["residual_cnn"].trained
    assert found["mobilenet_v1"].found is found["rarn"].fault is None
    assert not found["mobilenet_v1"].trained


def test_a_survey_of_other_weights_is_a_fault_and_no_curve(measured):
    stored = json.loads((measured / FILE).read_text())
    (measured / FILE).write_text(json.dumps({**stored, "weights": "others"}))
    (survey,) = (s for s in surveys() if s.network == "residual_cnn")
    assert survey.found is None
    assert "other weights" in survey.fault


def test_a_survey_that_is_measured_while_the_app_runs_is_seen(measured):
    stored = (measured / FILE).read_text()
    (measured / FILE).unlink()
    assert next(s for s in surveys() if s.network == "residual_cnn").found is None
    (measured / FILE).write_text(stored)
    assert next(s for s in surveys() if s.network == "residual_cnn").found is not None
