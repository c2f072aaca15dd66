"""The papers' rankings: networks trained with the same settings, compared on the same images for each seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from models import get_spec, list_models
from models.checkpoints import CheckpointError, read_card
from models.metrics import Interval

from . import paired_tests
from .leaderboard import FIGURES, cards


@dataclass(frozen=True)
class Ranking:
    """Two networks, the one that a paper puts higher first, both trained alike by us.

    Attributes:
        paper: letter of the paper.
        first, second: names of the networks.
        measure: "accuracy" or "balanced_accuracy", whichever the paper reports.
        claimed: the paper's difference, a share of 1.
        recipe, split: names of the recipe and the split by which both were trained.
        part: the test set that they were evaluated on.
        by_seed: difference for each seed on the same images, with its 95 % interval over images.
        over_seeds: mean difference with its 95 % interval over seeds (Student's t); None with a single seed.
    """

    paper: str
    first: str
    second: str
    measure: str
    claimed: float
    recipe: str
    split: str
    part: str
    by_seed: dict[int, Interval]
    over_seeds: Interval | None

    @property
    def verdict(self) -> str:
        """Whether the ranking holds, by the intervals over images for all seeds."""
        n = len(self.by_seed)
        where = "with one seed" if n == 1 else f"with each of {n} seeds"
        if all(low > 0 for _, low, _ in self.by_seed.values()):
            return f"holds {where}"
        if all(high < 0 for _, _, high in self.by_seed.values()):
            return f"reversed {where}"
        return "undecided"


def rankings() -> tuple[Ranking, ...]:
    """Every two networks of a paper that it ranks by the same figure, and that were trained alike here."""
    runs = _runs()
    return tuple(ranking for a, b, key in _ranked() for ranking in _trained_alike(a, b, key, runs))


def rankings_not_run() -> tuple[tuple[str, str], ...]:
    """Pairs that a paper ranks and that were not trained alike here."""
    runs = _runs()
    return tuple((a, b) for a, b, key in _ranked() if not any(_trained_alike(a, b, key, runs)))


def _ranked() -> Iterator[tuple[str, str, str]]:
    """Higher network, lower network, and the key of the figure by which their paper ranks them."""
    trained = [name for name in list_models() if name != "ensemble"]  # a vote, chosen and not trained
    for a, b in combinations(trained, 2):
        one, two = get_spec(a), get_spec(b)
        key = next((key for key in FIGURES if key in one.reported and key in two.reported), None)
        if one.paper == two.paper and key and one.reported[key] != two.reported[key]:
            yield (a, b, key) if one.reported[key] > two.reported[key] else (b, a, key)


Runs = dict[str, dict[tuple[str, str, str, int, int], str]]
"""The training runs of each network: (recipe, split, data, epochs, seed) → name of the checkpoint."""


def _runs() -> Runs:
    """The training runs of networks as they are, from random weights."""
    found: Runs = {}
    for name, card in cards().items():
        if not card.overrides and not card.ancestors:
            run = (card.recipe, card.split, card.data, card.epochs, card.seed)
            found.setdefault(card.network, {}).setdefault(run, name)
    return found


def _trained_alike(first: str, second: str, key: str, runs: Runs) -> Iterator[Ranking]:
    one, two = runs.get(first, {}), runs.get(second, {})
    shared = sorted(one.keys() & two.keys())
    claimed = get_spec(first).reported[key] - get_spec(second).reported[key]
    for alike in dict.fromkeys(run[:-1] for run in shared):
        by_seed, part = {}, ""
        for run in (run for run in shared if run[:-1] == alike):
            part = list(read_card(one[run]).metrics)[-1]
            try:
                by_seed[run[-1]] = getattr(paired_tests.pair(one[run], two[run], part), FIGURES[key])
            except CheckpointError:  # stored predictions are missing, or for other images
                continue
        if by_seed:
            over = over_seeds([value for value, _, _ in by_seed.values()])
            paper = get_spec(first).paper
            yield Ranking(paper, first, second, FIGURES[key], claimed, *alike[:2], part, by_seed, over)


def over_seeds(values: list[float]) -> Interval | None:
    """Mean with its 95 % interval over seeds (Student's t); None for a single one."""
    if len(values) < 2:
        return None
    from scipy.stats import t as student_t  # here: scipy.stats takes half a second

    half = student_t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    return float(np.mean(values)), float(np.mean(values) - half), float(np.mean(values) + half)
