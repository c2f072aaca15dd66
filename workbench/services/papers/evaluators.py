"""Functions that compute our result for each claim, one per kind, `EVALUATORS[claim.by](claim, paper)`.

Three kinds of results. *exact*: computed from code or from the dataset, so without spread. *own*: from what the
same paper says elsewhere. *measured*: a trained network, with its 95 % interval. An evaluator that finds no
trained network raises CheckpointError, and the claim is *not run*.

The functions: `networks.py` counts parameters and sizes, `counts.py` images, splits and weights, `elsewhere.py` reads
the paper against itself, `trained.py` reads our trained networks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from models.checkpoints import CheckpointError
from models.text import thousands

from .definitions import Claim, Paper

Kind = Literal["exact", "own", "measured"]


@dataclass(frozen=True)
class Ours:
    """Our result for a claim.

    Attributes:
        kind: see the module.
        text: the result in words, with its unit and, where it was measured, its interval.
        way: how it was obtained.
        value: value without unit, shares of 1; None for a statement.
        interval: lower and upper end of 95 %, where it was measured.
        holds: whether the claim is true, where that is not to be told from `value`.
        differs: how our training differs from the paper's; empty where it does not.
        choices: settings that the paper leaves open, with our values.
    """

    kind: Kind
    text: str
    way: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    holds: bool | None = None
    differs: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


class Evaluator(Protocol):
    """A function that obtains ours for a claim."""

    __name__: str

    def __call__(self, claim: Claim, paper: Paper) -> Ours:
        """Ours; CheckpointError where it needs a trained network that is not there."""
        ...


EVALUATORS: dict[str, Evaluator] = {}
"""Every evaluator by the name that the data call it by."""


def evaluator(function: Evaluator) -> Evaluator:
    """Decorator: make an evaluator known by its name."""
    EVALUATORS[function.__name__.strip("_")] = function
    return function


def words(claim: Claim, value: float) -> str:
    """A plain value in the claim's unit: 53.2 %, +1.04 points, 77.32 M, 11 192."""
    if claim.unit == "":
        return thousands(round(value)) if value == round(value) else f"{value:.4g}"
    unit, sign = claim.unit, "+" if claim.unit == "points" else ""
    digits = {"%": 1, "points": 2, "M": 3, "GiB": 2}[unit]
    return f"{claim.scale * value:{sign}.{digits}f}\N{NO-BREAK SPACE}{unit}"


def exact(claim: Claim, value: float, way: str, text: str = "") -> Ours:
    """What was computed from code or from the set."""
    return Ours("exact", text or words(claim, value), way, value)


@evaluator
def _nothing(claim: Claim, paper: Paper) -> Ours:
    raise CheckpointError(claim.given.get("needs", "not run"))
