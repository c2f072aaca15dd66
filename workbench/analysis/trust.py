"""How faithful one map is: every measure of `faithfulness` and `sanity` on it, and a badge by stated rules.

The badge, with the constants below:

    not faithful  the map is blank, or nowhere evidence for the class
    otherwise three tests:
        deletion        area below the 5th percentile of random maps     (lower is better)
        insertion       area above the 95th percentile of random maps    (higher is better)
        randomization   Spearman similarity with the map of a network with random weights under 0.5
    faithful      all three are passed
    weak          exactly one fails
    not faithful  two or three fail

Each area is the mean over both baselines, so that no verdict depends on one kind of filling. A faithful map shows
regions that this network needs for this prediction; it does not say that the prediction is right, or why they matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .baseline_maps import PERCENTILE, Score, gaussian_map, random_maps
from .cam import resize
from .faithfulness import Curve, Progress, Road, average_drop, both_curves, road
from .imputation import BASELINES, Baseline
from .sanity import Cascade, Explain, Flag, Stability, cascade, flag, map_against, stability
from .validation import float_matrices

SIMILARITY_LIMIT = 0.5
"""A map that is this like one of random weights, or more, fails."""

Level = Literal["faithful", "weak", "not faithful"]

_ROAD_PAIRS = 4  # random maps for ROAD, which solves a linear system an image; each with its negative
_STAGES = 5  # of `assess`, for its progress


@dataclass(frozen=True)
class Badge:
    """The verdict on a map.

    Attributes:
        level: "faithful", "weak" or "not faithful".
        reasons: a sentence each for deletion, insertion and randomization, with its numbers; one alone for a map that
            was not tested.
        passed: whether each test is passed.
    """

    level: Level
    reasons: tuple[str, ...]
    passed: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Measures:
    """Everything that was measured of a map with contrast. Rows of curves: the map, the Gaussian, random maps.

    Attributes:
        deletion, insertion: curves for each of `BASELINES`, (2 + R rows).
        road: the ROAD curves, with fewer random maps than the other curves.
        scores: one number each with its baselines: "deletion", "insertion" (areas, mean over the baselines),
            "road" (the gap) and "average drop".
        increase: whether the class gains where only the highlighted regions keep their contrast.
        cascade: similarity while the weights are randomized.
        stability: similarity under noise and small crops.
    """

    deletion: Mapping[Baseline, Curve]
    insertion: Mapping[Baseline, Curve]
    road: Road
    scores: Mapping[str, Score]
    increase: bool
    cascade: Cascade
    stability: Stability


@dataclass(frozen=True, eq=False)
class Trust:
    """How faithful one map is.

    Attributes:
        map: the map as the explainer drew it, (h, w).
        flag: "blank", "all negative", or None.
        measures: None for a flagged map, of which there is nothing to measure.
        badge: the verdict.
    """

    map: Tensor
    flag: Flag | None
    measures: Measures | None
    badge: Badge


def assess(
    model: nn.Module,
    x: Float[Tensor, "1 C_in H W"],
    class_: int,
    explain: Explain,
    randoms: int = 40,
    steps: int = 6,
    seed: int = 0,
    progress: Progress | None = None,
) -> Trust:
    """Measure one map in every way, and give it a badge.

    Args:
        model: any network → logits; it comes back as it was.
        x: one image, prepared as the network expects it.
        class_: index of the class that the map is of.
        explain: (network, image) → the map (h, w) of that class, always the same for the same two.
        randoms: number of random maps, even. Their noise is as coarse as the map, at most 7×7. Fewer
            make the verdict depend on the draw: with 20, a map better than 97 of 100 random ones passed half the time.
        steps: parts of the curves.
        seed: decides all that is random.
        progress: called with (work done, work in all).

    Raises:
        ValueError: an argument is wrong; the message names it.
    """
    if randoms < 2 or randoms % 2:
        raise ValueError(f"randoms={randoms}: give an even number, since each random map counts with its negative")
    own = float_matrices(explain(model, x), "what explain returns")
    if own.ndim != 2:
        raise ValueError(f"explain returns a map of shape {tuple(own.shape)}. It has to return one map (h, w).")
    flagged = flag(own)
    if flagged is not None:
        flagged = flag(own, map_against(model, x, explain)) or flagged
        return Trust(own, flagged, None, badge_of_flag(flagged))
    measures = _measured(model, x, class_, explain, own, randoms // 2, steps, seed, progress)
    scores = measures.scores
    return Trust(own, None, measures, badge(scores["deletion"], scores["insertion"], measures.cascade.final))


def badge(deletion: Score, insertion: Score, similarity: float) -> Badge:
    """The verdict by the three tests; `similarity` is that after the randomization of all weights."""
    passed = (deletion.beats_random, insertion.beats_random, similarity < SIMILARITY_LIMIT)
    levels: dict[int, Level] = {3: "faithful", 2: "weak"}
    level = levels.get(sum(passed), "not faithful")
    return Badge(level, (_curve_reason(deletion), _curve_reason(insertion), _cascade_reason(similarity)), passed)


def badge_of_flag(flagged: Flag) -> Badge:
    """The verdict on a map that has nothing to show."""
    reason = {
        "blank": "The map is blank: it prefers no region, so it is no evidence for this class.",
        "all negative": "The map is nowhere positive: it holds only evidence against this class, none for it.",
    }[flagged]
    return Badge("not faithful", (reason,), (False,))


def _curve_reason(score: Score) -> str:
    doing, verb = {"deletion": ("Taking away", "lower"), "insertion": ("Putting back", "raise")}[score.title]
    does = f"{verb}s" if score.beats_random else f"does not {verb}"
    threshold = f"{'over' if score.higher_is_better else 'under'} {score.bar:.3f}"
    return (
        f"{doing} what the map highlights {does} the class faster than {PERCENTILE} % of random maps do: "
        f"area {score.own:.3f}, threshold: {threshold}."
    )


def _cascade_reason(similarity: float) -> str:
    figures = f"rank correlation {similarity:.2f}, threshold: under {SIMILARITY_LIMIT}."
    if similarity < SIMILARITY_LIMIT:
        return f"The map changes when the network's weights are random: {figures}"
    return f"The map stays much the same when the network's weights are random, so it shows little of them: {figures}"


def _measured(
    model: nn.Module,
    x: Tensor,
    class_: int,
    explain: Explain,
    own: Tensor,
    pairs: int,
    steps: int,
    seed: int,
    progress: Progress | None,
) -> Measures:
    size = (x.shape[-2], x.shape[-1])
    grid = (min(own.shape[0], 7), min(own.shape[1], 7))
    resized = resize(own[None], size)  # (1, H, W)
    maps = torch.cat([resized, gaussian_map(size)[None].to(own), random_maps(pairs, size, grid, seed).to(own)])
    stages = [_stage(progress, i) for i in range(_STAGES)]
    curves = {b: both_curves(model, x, class_, maps, b, steps, stages[i]) for i, b in enumerate(BASELINES)}
    deletion, insertion = ({b: _without_negatives(c[i], pairs) for b, c in curves.items()} for i in (0, 1))
    filled = road(model, x, class_, maps[: 2 + _ROAD_PAIRS], seed=seed, progress=stages[2])
    drops = average_drop(model, x, class_, maps)
    gap = torch.cat([filled.gap, -filled.gap[2:]])  # the gap of a negative is that of the map with the opposite sign
    return Measures(
        deletion=deletion,
        insertion=insertion,
        road=filled,
        scores={
            "deletion": _score("deletion", "Petsiuk et al. 2018", _mean_area(deletion), higher=False),
            "insertion": _score("insertion", "Petsiuk et al. 2018", _mean_area(insertion), higher=True),
            "road": _score("ROAD", "Rong et al. 2022", gap, higher=True, lowest=-1),
            "average drop": _score("average drop", "Chattopadhyay et al. 2018", drops.drop, higher=False),
        },
        increase=bool(drops.increase[0]),
        cascade=cascade(model, x, explain, seed=seed, progress=stages[3]),
        stability=stability(model, x, explain, seed=seed, progress=stages[4]),
    )


def _without_negatives(curve: Curve, pairs: int) -> Curve:
    """Rows of `both_curves` less the negatives of the map and of the Gaussian, which are no baselines."""
    rows = [*range(2 + pairs), *range(4 + pairs, 4 + 2 * pairs)]
    return Curve(curve.fraction, curve.probability[rows], curve.higher_is_better)


def _mean_area(curves: Mapping[Baseline, Curve]) -> Tensor:
    return torch.stack([curve.auc for curve in curves.values()]).mean(0)


def _score(title: str, paper: str, values: Tensor, higher: bool, lowest: float = 0) -> Score:
    return Score(title, paper, float(values[0]), float(values[1]), values[2:], higher, lowest, 1)


def _stage(progress: Progress | None, index: int) -> Progress | None:
    """The progress of one stage as that of the whole, in thousandths; every stage counts the same."""
    if progress is None:
        return None
    share = 1000 // _STAGES
    return lambda done, total: progress(index * share + share * done // total, share * _STAGES)
