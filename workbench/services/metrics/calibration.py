"""Calibration of stored predictions: reliability before and after temperature scaling, error by coverage."""

from __future__ import annotations

from dataclasses import dataclass

from models.calibration import Reliability, RiskCoverage, reliability, risk_coverage

from . import evaluation


@dataclass(frozen=True, eq=False)
class Calibration:
    """Calibration of the probabilities.

    Attributes:
        before, after: reliability of the predictions without and with temperature scaling; `after` is None where no
            temperature was fitted.
        temperature: fitted on the validation set; above 1: the network was overconfident.
        risk: error of the most confident predictions, by the calibrated probability.
    """

    before: Reliability
    after: Reliability | None
    temperature: float | None
    risk: RiskCoverage


def of(name: str, part: str = "PrivateTest", subset: evaluation.Subset = "all") -> Calibration:
    """Reliability and risk–coverage of a checkpoint; errors as for `evaluation.stored_predictions`."""
    given = evaluation.stored_predictions(name, part, subset)
    before, risk = reliability(given.logits, given.labels), risk_coverage(given.calibrated, given.labels)
    after = reliability(given.calibrated, given.labels) if given.card.temperature else None
    return Calibration(before, after, given.card.temperature, risk)
