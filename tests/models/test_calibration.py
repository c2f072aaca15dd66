"""Temperature scaling finds the number that made well-calibrated logits too sure or too unsure."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from models.calibration import fit_temperature


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
