"""Temperature scaling (Guo et al. 2017, "On calibration of modern neural networks", section 4.2).

Divide all logits by one number T before the softmax. T > 1 makes a network less sure, T < 1 surer; which class comes
first, and so the accuracy, stays. T is fitted by the log loss on the validation part.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor

_LOWEST, _HIGHEST = 0.05, 20.0


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature, within 0.05 to 20, with the least log loss.

    Args:
        logits: of a validation part that training did not see, (N, K).
        labels: index of the true class, (N,).
    """

    def log_loss(log_t: float) -> float:
        return F.cross_entropy(logits.double() / math.exp(log_t), labels).item()

    bounds = (math.log(_LOWEST), math.log(_HIGHEST))
    return math.exp(minimize_scalar(log_loss, bounds=bounds, method="bounded").x)
