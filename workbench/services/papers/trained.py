"""Evaluators that read our trained networks, and which training runs come nearest to a paper's and how they differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from models import Card
from models.checkpoints import CheckpointError, checkpoint_folder, read_card
from models.datasets.splits import SPLITS
from models.metrics import Interval, share
from models.text import counted, percentage, signed
from models.training.config import read_config

from ...surveys.robustness import read_robustness
from ..metrics import evaluation, leaderboard, paired_tests, rankings, training_curves
from .counts import divided
from .definitions import Claim, Paper, Protocol
from .evaluators import Ours, evaluator, words
from .protocols import choices, differences


@dataclass(frozen=True)
class Trained:
    """Our training runs beside a paper's, which differ in the random seed alone.

    Attributes:
        names: names of the checkpoints, by seed; that of the network's own folder first where two have one seed.
        seeds: their random seeds.
        part: the part of their split that is reported.
        differs: each difference as a phrase; empty where the two agree in all that the paper states.
        choices: what the paper leaves open and ours has, a phrase each.
    """

    names: tuple[str, ...]
    seeds: tuple[int, ...]
    part: str
    differs: tuple[str, ...]
    choices: tuple[str, ...]

    @property
    def told(self) -> str:
        """The checkpoints and the reported part, in words."""
        return f"{', '.join(f'`{name}`' for name in self.names)}, {self.part}, single view"

    def over_seeds(self, measured: Callable[[str], Interval]) -> Interval:
        """The mean over the seeds of what a function measures of a checkpoint, with its interval; see `combined`."""
        return combined([measured(name) for name in self.names])


def combined(values: list[Interval]) -> Interval:
    """The mean of one figure over random seeds, with a 95 % interval that covers test images and seeds.

    Each side of the interval is as wide as √(p² + s²): p is the mean distance of the seeds' own ends, which come from
    the test images, the same ones for all seeds, so that more seeds do not make p smaller; s = t₀.₉₇₅,ₙ₋₁ · sd / √n is
    that of the mean over n seeds (Student's t). With one seed the interval covers the test images alone.
    """
    means = [value for value, _, _ in values]
    spread = rankings.over_seeds(means)
    if spread is None:
        return values[0]
    mean, low, _ = spread
    below, above = (np.nanmean([abs(ends[i] - ends[0]) for ends in values]) for i in (1, 2))
    return mean, mean - math.hypot(below, mean - low), mean + math.hypot(above, mean - low)


@lru_cache(maxsize=128)
def nearest_run(network: str, protocol: Protocol) -> Trained:
    """The measured training runs of a network on the paper's dataset that differ least, one for each random seed.

    Of those that differ equally, those of the network's own folder. They are cached: `nearest_run.cache_clear()` after
    a checkpoint has changed. Marked checkpoints (`Card.seen`) are no evidence and left out.

    Raises:
        CheckpointError: there is none.
    """
    found: dict[tuple, list[tuple[int, str, Card]]] = {}
    for name in evaluation.checkpoints():
        try:
            card = read_card(name)
        except CheckpointError:  # one damaged card must not hide the others
            continue
        mine = card.network == network and card.overrides != leaderboard.WITHOUT_NORM and not card.seen
        if mine and card.metrics and set_of(card) == protocol.set and _has_predictions(name):
            facts = (card, protocol, _epochs(name, card), _config(name))
            found.setdefault(_alike(card, differences(*facts), choices(*facts)), []).append((card.seed, name, card))
    if not found:
        marked = ", ".join(f"`{name}`" for name, card in leaderboard.marked().items() if card.network == network)
        why = f" {marked} is left out: it has, or may have, seen test images." if marked else ""
        raise CheckpointError(f"{network} is not trained on {protocol.set} here.{why}")
    (*_, differs, open_), runs = min(
        found.items(), key=lambda item: (len(item[0][-2]), network not in {name for _, name, _ in item[1]})
    )
    by_seed = {}
    for seed, name, card in sorted(runs, key=lambda run: (run[0], run[1] != network)):
        by_seed.setdefault(seed, (name, card))
    names, cards = zip(*by_seed.values(), strict=True)
    return Trained(names, tuple(by_seed), list(cards[0].metrics)[-1], differs, open_)


def _alike(card: Card, differs: tuple[str, ...], open_: tuple[str, ...]) -> tuple:
    """What two training runs have in common that differ in their seed alone."""
    built = tuple(sorted(card.overrides.items()))
    return built, card.recipe, card.split, card.classes, card.epochs, differs, open_


def set_of(card: Card) -> str:
    """The dataset of a card's measures, by its classes and number of test images; "" for any other dataset."""
    if "contempt" in card.classes:
        return "FER+" if "neutral" in card.classes else "CK+"
    tested = sum(map(sum, next(iter(card.metrics.values()))["plain"]["confusion"]))
    return "FER2013" if 3500 < tested < 7300 else "JAFFE" if tested < 60 else ""


def _epochs(name: str, card: Card) -> int:
    try:
        return len(training_curves.history(name).epochs)
    except CheckpointError:
        return card.epochs


def _config(name: str) -> dict | None:
    try:
        return read_config(checkpoint_folder(name)).model_dump(mode="json")
    except ValueError:  # those that ship have none
        return None


def _has_predictions(name: str) -> bool:
    return (checkpoint_folder(name) / "predictions.npz").is_file()


# ---- evaluators


def _measured(claim: Claim, run: Trained, values: Interval, way: str) -> Ours:
    value, low, high = values
    if np.isnan(low):
        low = high = value
    if claim.unit == "%":
        low, high = max(low, 0.0), min(high, 1.0)
    ends = f"{claim.scale * low:.4g} to {claim.scale * high:.4g}"
    if claim.unit:
        ends = f"{claim.scale * low:.1f} to {claim.scale * high:.1f}"
    text = words(claim, value)
    if claim.unit == "points":
        text, *both = (signed(claim.scale * v, 1) for v in (value, low, high))
        text, ends = f"{text}\N{NO-BREAK SPACE}points", " to ".join(both)
    seeds = counted(len(run.seeds), "seed")
    interval = (low, high)
    return Ours("measured", f"{text} ({ends}; {seeds})", way, value, interval, differs=run.differs, choices=run.choices)


@evaluator
def _measure(claim: Claim, paper: Paper) -> Ours:
    run, key = nearest_run(claim.network, claim.protocol), claim.given["key"]
    values = run.over_seeds(lambda name: evaluation.scores(name, run.part).values[key])
    return _measured(claim, run, values, run.told)


@evaluator
def _recall(claim: Claim, paper: Paper) -> Ours:
    run, class_ = nearest_run(claim.network, claim.protocol), claim.given["class"]
    values = run.over_seeds(lambda name: evaluation.scores(name, run.part).recall[class_])
    return _measured(claim, run, values, run.told)


@evaluator
def _gain(claim: Claim, paper: Paper) -> Ours:
    run, over = (nearest_run(name, claim.protocol) for name in (claim.network, claim.given["over"]))
    first, second = (dict(zip(one.seeds, one.names, strict=True)) for one in (run, over))
    seeds = [seed for seed in first if seed in second]
    if not seeds:
        raise CheckpointError(f"{claim.network} and {claim.given['over']} are not trained with the same seed")
    both = [(first[seed], second[seed]) for seed in seeds]
    values = combined([paired_tests.pair(a, b, run.part).balanced_accuracy for a, b in both])
    told = "; ".join(f"`{a}` minus `{b}`" for a, b in both)
    run = replace(
        run,
        seeds=tuple(seeds),
        differs=tuple(dict.fromkeys((*run.differs, *over.differs))),
        choices=tuple(dict.fromkeys((*run.choices, *over.choices))),
    )
    return _measured(claim, run, values, f"{told}; the same images of {run.part}")


@evaluator
def _epochs_saved(claim: Claim, paper: Paper) -> Ours:
    """What batch norm saves in each pair of training runs; the paper's own recipe decides, where a pair has it."""
    found = leaderboard.convergence()
    if not found:
        raise CheckpointError(f"needs a training run of `{claim.given['network']}` with batch-norm and one without")
    cards = [read_card(one.with_norm) for one in found]
    recipes = [card.recipe for card in cards]
    differs = ["the paper states neither the network nor the accuracy level"]
    own = f"paper-{paper.letter.lower()}"
    if own in recipes:
        one = found[recipes.index(own)]
        protocol, card = paper.claim(claim.given["as"]).protocol, cards[recipes.index(own)]
        if protocol is None:
            raise ValueError(f"{claim.id}: the claim {claim.given['as']} has no protocol")
        differs += differences(card, protocol, _epochs(one.with_norm, card), _config(one.with_norm))
    else:
        one = found[-1]
    told = "; ".join(
        f"{leaderboard.optimizer_of(card)}: {_saved(each)}" for card, each in zip(cards, found, strict=True)
    )
    compared = "; ".join(f"`{each.with_norm}` beside `{each.without_norm}`" for each in found)
    level = "the highest multiple of 5\N{NO-BREAK SPACE}% of validation accuracy that both reach"
    way = f"epochs to {level}; {compared}; one seed each"
    interval = None if one.saved is None else (one.saved, one.saved)
    return Ours("measured", told, way, one.saved, interval, differs=tuple(differs))


def _saved(one: leaderboard.Convergence) -> str:
    with_norm, without, chance = map(percentage, (*one.best, one.majority))
    best = f"best epoch {with_norm} with, {without} without, largest class {chance}"
    if one.saved is None:
        return f"one of the two hardly learned anything ({best})"
    (with_epochs, without_epochs), level = one.epochs[-1], percentage(one.levels[-1], 0)
    return (
        f"{percentage(one.saved, 0)} saved, {counted(with_epochs, 'epoch')}, not {without_epochs}, to {level} ({best})"
    )


@evaluator
def _train_accuracy(claim: Claim, paper: Paper) -> Ours:
    run = nearest_run(claim.network, claim.protocol)
    values = run.over_seeds(_accuracy_in_training)
    way = f"{', '.join(f'`{name}`' for name in run.names)}, the chosen epoch, on augmented images"
    return _measured(claim, run, values, way)


def _accuracy_in_training(name: str) -> Interval:
    """Training accuracy of the selected epoch; with Wilson's interval if the number of training images is known."""
    found, card = training_curves.history(name), read_card(name)
    if found.best > len(found.epochs):  # ended between the two files
        raise CheckpointError(f"the history of {name} lacks its best epoch")
    value = float(found.columns["train_accuracy"][found.best - 1])
    if card.split not in {*SPLITS} - {"clean"} or set_of(card) != "FER2013":  # "clean" needs the images to be counted
        return value, value, value
    n = len(divided(card.split)["training"])
    _, low, high = share(np.arange(n) < round(n * value))
    return value, low, high


@evaluator
def _rotated(claim: Claim, paper: Paper) -> Ours:
    """Accuracy upright and turned by so many degrees to either side, beside that of a network without the claim's."""
    degrees, told, recipes = claim.given["degrees"], [], set()
    for name in (claim.network, claim.given["beside"]):
        if caveat := read_card(name).caveat:
            raise CheckpointError(f"`{name}` is left out. {caveat}")
        curve = read_robustness(name).curves.get("rotation")
        if curve is None:
            raise CheckpointError(f"measure it: `ferscope robustness {name} --corruptions rotation`")
        at = dict(zip(curve.values.tolist(), curve.accuracy.tolist(), strict=True))
        upright, turned = at[0.0], (at[degrees] + at[-degrees]) / 2
        told.append(f"`{name}` {100 * upright:.1f} → {percentage(turned)}")
        recipes.add(read_card(name).recipe)
    way = f"{curve.images} images, upright → rotated by {degrees:g}\N{DEGREE SIGN}, mean of both directions"
    differs = ("the paper prints no value",)
    if len(recipes) > 1:
        differs += (f"the two were trained with different recipes, {' and '.join(sorted(recipes))}",)
    return Ours("measured", ", ".join(told), way, differs=differs)
