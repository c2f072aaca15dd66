"""Evaluators that ask our trained networks, and which training comes nearest to a paper's and how it differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from models import Card, get_spec
from models.checkpoints import CheckpointError, checkpoint_folder, read_card
from models.evaluation import Interval
from models.registry import changed
from models.training.recipes import RECIPES, from_recipe
from models.words import signed

from ...robustness_survey import read_robustness
from .. import histories, measures, pairs, standings
from .evaluators import Ours, evaluator, words
from .papers import Claim, Paper, Protocol


@dataclass(frozen=True)
class Trained:
    """A training of ours beside a paper's.

    Attributes:
        name: of the checkpoint.
        part: the part of its split that is reported.
        differs: each difference as a phrase; empty where the two agree in all that the paper says.
    """

    name: str
    part: str
    differs: tuple[str, ...]


@lru_cache(maxsize=128)
def nearest_run(network: str, protocol: Protocol) -> Trained:
    """The measured checkpoint of a network on the paper's set that differs least; of equals the network's own.

    It is remembered: `nearest_run.cache_clear()` after a checkpoint has changed.

    Raises:
        CheckpointError: there is none.
    """
    found = []
    for name in measures.checkpoints():
        try:
            card = read_card(name)
        except CheckpointError:  # one damaged card must not hide the others
            continue
        mine = card.network == network and card.overrides != standings.WITHOUT_NORM
        if mine and card.metrics and set_of(card) == protocol.set and _has_answers(name):
            part = list(card.metrics)[-1]
            found.append(Trained(name, part, differences(card, protocol, _epochs(name, card), _config(name))))
    if not found:
        raise CheckpointError(f"{network} is not trained on {protocol.set} here.")
    return min(found, key=lambda run: (len(run.differs), run.name != network))


def set_of(card: Card) -> str:
    """The set that a card's measures are from, told from classes and number of test pictures; "" for any other set."""
    if "contempt" in card.classes:
        return "FER+" if "neutral" in card.classes else "CK+"
    tested = sum(map(sum, next(iter(card.metrics.values()))["plain"]["confusion"]))
    return "FER2013" if 3500 < tested < 7300 else "JAFFE" if tested < 60 else ""


def differences(card: Card, protocol: Protocol, epochs: int, config: dict | None = None) -> tuple[str, ...]:
    """How a training differs from a protocol, a phrase each, in what the paper says and we know of ours.

    Args:
        card: of ours.
        protocol: the paper's.
        epochs: that ours was trained, over all trainings that led to its weights.
        config: the saved configuration of ours; None: that of the card's recipe.
    """
    if config is None:
        config = from_recipe(card.recipe, model=card.network).model_dump() if card.recipe in RECIPES else {}
    have = config | {"split": card.split, "input_size": card.input_size, "epochs": epochs}
    wanted = protocol.config(card.network).model_dump()
    wanted["input_size"] = wanted["input_size"] or get_spec(card.network).input_size
    built = tuple(f"built with {key} {value}" for key, value in changed(card.network, card.overrides).items())
    return built + tuple(
        _difference(key, have[key], wanted[key])
        for key in _MATTERS
        if key not in protocol.silent and key in have and have[key] != wanted[key]
    )


def _difference(key: str, have: object, wanted: object) -> str:
    if key == "phases":
        return "one phase, not several" if wanted else "several phases, not one"
    return f"{key.replace('_', ' ')} {have}, not {wanted}"


_MATTERS: Sequence[str] = (
    *("split", "epochs", "input_size", "pretrained", "trained_stages", "phases", "optimizer", "learning_rate"),
    *("schedule", "batch_size", "augmentation", "class_weights", "label_smoothing", "distillation", "mixup"),
)
"""Fields of `TrainConfig` in which a training can differ from a paper's; the most telling first."""


def _epochs(name: str, card: Card) -> int:
    try:
        return len(histories.history(name).epochs)
    except CheckpointError:
        return card.epochs


def _config(name: str) -> dict | None:
    try:
        return json.loads((checkpoint_folder(name) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # those that ship have none
        return None


def _has_answers(name: str) -> bool:
    return (checkpoint_folder(name) / "predictions.npz").is_file()


# ---- evaluators


def _measured(claim: Claim, run: Trained, values: Interval, way: str) -> Ours:
    value, low, high = values
    if np.isnan(low):
        low = high = value
    ends = f"{claim.scale * low:.4g} to {claim.scale * high:.4g}"
    if claim.unit:
        ends = f"{claim.scale * low:.1f} to {claim.scale * high:.1f}"
    text = words(claim, value)
    if claim.unit == "points":
        text, *both = (signed(claim.scale * v, 1) for v in (value, low, high))
        text, ends = f"{text}\N{NO-BREAK SPACE}points", " to ".join(both)
    return Ours("measured", f"{text} ({ends})", way, value, (low, high), differs=run.differs)


@evaluator
def _measure(claim: Claim, paper: Paper) -> Ours:
    run = nearest_run(claim.network, claim.protocol)
    values = measures.scores(run.name, run.part).values[claim.given["key"]]
    return _measured(claim, run, values, f"`{run.name}`, {run.part}, single view")


@evaluator
def _recall(claim: Claim, paper: Paper) -> Ours:
    run = nearest_run(claim.network, claim.protocol)
    values = measures.scores(run.name, run.part).recall[claim.given["class"]]
    return _measured(claim, run, values, f"`{run.name}`, {run.part}, single view")


@evaluator
def _gain(claim: Claim, paper: Paper) -> Ours:
    run, over = (nearest_run(name, claim.protocol) for name in (claim.network, claim.given["over"]))
    values = pairs.pair(run.name, over.name, run.part).balanced_accuracy
    run = replace(run, differs=tuple(dict.fromkeys((*run.differs, *over.differs))))
    return _measured(claim, run, values, f"`{run.name}` less `{over.name}`, the same pictures of {run.part}")


@evaluator
def _epochs_saved(claim: Claim, paper: Paper) -> Ours:
    found = standings.convergence()
    if not found:
        raise CheckpointError(f"needs a training of `{claim.given['network']}` with batch-norm and one without")
    one = found[-1]
    differs = ("the paper names neither the network nor the accuracy",)
    if one.saved is None:
        shares = (f"{100 * share:.1f}\N{NO-BREAK SPACE}%" for share in (*one.best, one.guess))
        text = "with {}, without {}, guessing {}".format(*shares)
        way = (
            f"best epoch on the validation part, `{one.with_norm}` beside `{one.without_norm}`, the same learning rate"
        )
        return Ours("measured", text, way, differs=differs)
    with_norm, without_norm = one.epochs[-1]
    text = f"{100 * one.saved:.0f}\N{NO-BREAK SPACE}%: {with_norm} epochs, not {without_norm}"
    until = f"{100 * one.levels[-1]:.0f}\N{NO-BREAK SPACE}%"
    way = f"until {until} on the validation part, `{one.with_norm}` beside `{one.without_norm}`"
    return Ours("measured", text, way, one.saved, (one.saved, one.saved), differs=differs)


@evaluator
def _train_accuracy(claim: Claim, paper: Paper) -> Ours:
    run = nearest_run(claim.network, claim.protocol)
    found = histories.history(run.name)
    if found.best > len(found.epochs):  # ended between the two files
        raise CheckpointError(f"the history of {run.name} lacks its best epoch")
    value = float(found.columns["train_accuracy"][found.best - 1])
    way = f"`{run.name}`, epoch {found.best} of its history, on augmented pictures"
    text = f"{100 * value:.1f}\N{NO-BREAK SPACE}%" if claim.unit else f"{value:.3f}"
    return Ours("measured", text, way, value, (value, value), differs=run.differs)


@evaluator
def _turned(claim: Claim, paper: Paper) -> Ours:
    """Accuracy upright and turned by so many degrees to either side, beside that of a network without the claim's."""
    degrees, told, recipes = claim.given["degrees"], [], set()
    for name in (claim.network, claim.given["beside"]):
        curve = read_robustness(name).curves.get("rotation")
        if curve is None:
            raise CheckpointError(f"measure it: `ferscope robustness {name} --corruptions rotation`")
        at = dict(zip(curve.values.tolist(), curve.accuracy.tolist(), strict=True))
        upright, turned = 100 * at[0.0], 50 * (at[degrees] + at[-degrees])
        told.append(f"`{name}` {upright:.1f} → {turned:.1f}\N{NO-BREAK SPACE}%")
        recipes.add(read_card(name).recipe)
    way = f"{curve.pictures} pictures, upright → turned by {degrees:g}\N{DEGREE SIGN}, mean of left and right"
    differs = ("the paper has no figure of it",)
    if len(recipes) > 1:
        differs += (f"the two were trained by different recipes, {' and '.join(sorted(recipes))}",)
    return Ours("measured", ", ".join(told), way, differs=differs)
