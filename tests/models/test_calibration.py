"""Calibration: the temperature that spoiled logits is found, and the measures are what counting by hand gives."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from models.calibration import brier, fit_temperature, reliability, risk_coverage
from models.metrics import measure


def calibrated(n: int = 20_000) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels that are drawn from their very probabilities."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, 7, generator=generator) * 2
    return logits, torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_spoiled_the_logits_is_found(temperature):
    logits, labels = calibrated()
    assert fit_temperature(logits * temperature, labels) == pytest.approx(temperature, rel=0.05)


def test_no_other_temperature_has_a_lower_log_loss():
    logits, labels = calibrated(500)
    logits = logits * 1.7
    best = fit_temperature(logits, labels)
    losses = {t: F.cross_entropy(logits / t, labels).item() for t in (best, best * 0.97, best * 1.03, 1.0)}
    assert min(losses, key=losses.get) == best


def test_logits_that_are_always_right_get_the_lowest_temperature_and_no_infinity():
    labels = torch.arange(7)
    assert fit_temperature(F.one_hot(labels, 7).float(), labels) == pytest.approx(0.05, rel=0.01)
    assert fit_temperature(-F.one_hot(labels, 7).float(), labels) == pytest.approx(20, rel=0.01)


def test_the_bars_of_a_diagram_are_what_counting_by_hand_gives():
    p = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.35, 0.65], [0.4, 0.6], [0.6, 0.4]])
    found = reliability(p.log(), torch.tensor([0, 1, 1, 1, 1]), bins=10)
    torch.testing.assert_close(found.edges, torch.arange(11) / 10)
    assert found.count.tolist() == [0, 0, 0, 0, 0, 0, 3, 0, 0, 2]
    assert found.accuracy[[6, 9]].tolist() == pytest.approx([2 / 3, 1 / 2])
    assert found.confidence[[6, 9]].tolist() == pytest.approx([(0.65 + 0.6 + 0.6) / 3, 0.95])
    assert found.accuracy.isnan().sum() == found.confidence.isnan().sum() == 8
    assert found.ece == pytest.approx(3 / 5 * abs(2 / 3 - 1.85 / 3) + 2 / 5 * 0.45, abs=1e-6)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 3.0])
def test_the_error_is_the_one_of_the_card_and_the_weighted_gap_of_the_bars(temperature):
    logits, labels = calibrated(3000)
    found = reliability(logits / temperature, labels)
    assert len(found.count) == 15
    assert found.count.sum() == 3000
    gap = (found.count / 3000 * (found.accuracy - found.confidence).abs()).nansum().item()
    assert found.ece == pytest.approx(gap, abs=1e-6)
    assert found.ece == measure(logits / temperature, labels, tuple("abcdefg"))["calibration_error"]


def test_calibrated_logits_have_small_errors_and_overconfident_ones_large_errors():
    logits, labels = calibrated()
    assert reliability(logits, labels).ece < 0.02
    sharp = reliability(3 * logits, labels)
    assert sharp.ece > 0.1
    seen = sharp.count > 200
    assert (sharp.accuracy[seen] < sharp.confidence[seen]).all()


def test_predictions_that_are_certain_fall_into_the_last_bin():
    found = reliability(torch.tensor([[200.0, 0.0], [200.0, 0.0]]), torch.tensor([0, 1]))
    assert found.count[-1] == 2
    assert found.accuracy[-1] == 0.5
    assert found.ece == pytest.approx(0.5)


def test_the_brier_score_goes_from_0_for_sure_and_right_to_2_for_sure_and_wrong():
    labels = torch.tensor([0, 1, 2, 3, 4, 5, 6])
    sure = 100 * F.one_hot(labels, 7).float()
    assert brier(sure, labels) == pytest.approx(0)
    assert brier(sure, (labels + 1) % 7) == pytest.approx(2)
    assert brier(torch.zeros(7, 7), labels) == pytest.approx(1 - 1 / 7)
    assert brier(torch.tensor([[0.7, 0.2, 0.1]]).log(), torch.tensor([1])) == pytest.approx(0.49 + 0.64 + 0.01)


def test_true_probabilities_have_a_lower_brier_score_than_sharpened_or_blunted_ones():
    logits, labels = calibrated()
    assert brier(logits, labels) < min(brier(2 * logits, labels), brier(logits / 2, labels))


def test_risk_is_the_share_of_errors_among_the_most_confident_predictions():
    confidences = torch.tensor([0.9, 0.6, 0.8, 0.7])
    logits = torch.stack([confidences, 1 - confidences], 1).log()
    found = risk_coverage(logits, torch.tensor([0, 1, 0, 1]))  # the surest two are right, the others wrong
    assert found.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert found.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert found.area == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_the_worst_order_of_the_same_predictions_has_the_largest_area():
    logits, labels = calibrated(2000)
    wrong = (logits.argmax(-1) != labels).double()
    oracle, own, worst = (risk_coverage(logits, labels, c).area for c in (-wrong, None, wrong))
    assert oracle < own < wrong.mean() < worst


def test_equal_confidences_share_their_errors_whatever_the_order():
    logits, labels = torch.tensor([[1.0, 0.0]] * 4), torch.tensor([1, 0, 0, 0])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0]):
        found = risk_coverage(logits, labels[order])
        assert found.risk.tolist() == pytest.approx([0.25] * 4)
        assert found.area == pytest.approx(0.25)


def test_one_temperature_for_all_leaves_risk_and_coverage_of_two_classes_alone():
    logits, labels = calibrated(1000)
    torch.testing.assert_close(
        risk_coverage(logits[:, :2], labels % 2).risk, risk_coverage(logits[:, :2] / 3, labels % 2).risk
    )


@pytest.mark.parametrize("question", [reliability, brier, risk_coverage])
@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (torch.zeros(3, 7), torch.zeros(2, dtype=torch.long), r"logits \(3, 7\) and labels \(2,\)"),
        (torch.zeros(0, 7), torch.zeros(0, dtype=torch.long), "N ≥ 1"),
        (torch.full((2, 7), torch.nan), torch.zeros(2, dtype=torch.long), "NaN or infinite"),
    ],
)
def test_logits_and_labels_that_cannot_be_judged_are_refused(question, logits, labels, message):
    with pytest.raises(ValueError, match=message):
        question(logits, labels)


def test_a_wrong_number_of_bins_or_confidences_is_named():
    logits, labels = calibrated(10)
    with pytest.raises(ValueError, match="bins=0"):
        reliability(logits, labels, bins=0)
    with pytest.raises(ValueError, match="confidence has shape"):
        risk_coverage(logits, labels, torch.zeros(9))
    with pytest.raises(ValueError, match="NaN"):
        risk_coverage(logits, labels, torch.full((10,), torch.nan))
