"""Results of the trained networks, and the effects of epoch selection and batch norm.

Everything comes from checkpoints/: cards, stored predictions and training curves. The times of training runs that
were not done are estimated by `benchmarks/training_steps.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from models import Card, ModelSpec, get_spec, list_models
from models.checkpoints import CheckpointError, checkpoint_folder, read_card
from models.lineage import starts
from models.metrics import Interval, accuracy_of
from models.paths import SHIPPED
from models.training.history import FILE as HISTORY
from models.training.history import read_history
from models.training.recipes import RECIPES, from_recipe
from models.zoo import read_list

from . import calibration, evaluation

STEPS = SHIPPED / "benchmarks" / "results"
"""Folder of the measured training steps, a file for each kind of device."""

FIGURES = {
    "accuracy": "accuracy",
    "balanced accuracy on FER2013": "balanced_accuracy",
    "validation accuracy": "accuracy",
    "balanced accuracy": "balanced_accuracy",
    "accuracy on FER2013": "accuracy",
}
"""Figures of the papers that ours can be put beside, the best to compare first, and which of our measures each is."""


def figure(spec: ModelSpec) -> tuple[str, float] | None:
    """The paper's figure for a network: what it is, and its value as a share of 1; None where it has none like ours."""
    return next(((key, spec.reported[key]) for key in FIGURES if key in spec.reported), None)


def cards() -> dict[str, Card]:
    """The cards of measured checkpoints by their names, also of those whose weights did not ship, but for `marked`."""
    return {name: card for name, card in _measured().items() if not card.seen}


def marked() -> dict[str, Card]:
    """Measured checkpoints whose ancestors have seen validation or test images; they are compared with nothing."""
    return {name: card for name, card in _measured().items() if card.seen}


def left_out() -> str:
    """A sentence on the checkpoints that are `marked`; empty where there are none."""
    names = ", ".join(f"`{name}`" for name in marked())
    return names and (
        f"Left out, because weights that they come from have seen validation or test images, or may have: {names}."
    )


def _measured() -> dict[str, Card]:
    found = {}
    for name in evaluation.checkpoints():
        try:
            card = read_card(name)
        except CheckpointError:  # one damaged card must not hide the others
            continue
        if card.metrics:
            found[name] = card
    return found


# ---- one by one


@dataclass(frozen=True)
class Result:
    """One trained network.

    Attributes:
        name: name of the checkpoint.
        card: card of the checkpoint.
        part: the part of its split that is reported.
        accuracy: accuracy for each mode of test-time augmentation that was measured, with its 95 % interval.
        epochs, minutes: number of epochs and duration of training, over all training runs that led to its weights.
        calibration: expected calibration error before and after division by the temperature, single view; None where
            there are no stored predictions or no temperature.
    """

    name: str
    card: Card
    part: str
    accuracy: dict[str, Interval]
    epochs: int
    minutes: float
    calibration: tuple[float, float] | None


def results() -> tuple[Result, ...]:
    """Every measured checkpoint: by paper and network, each network's own first."""
    found = [_result(name, card) for name, card in cards().items()]
    return tuple(
        sorted(found, key=lambda s: (get_spec(s.card.network).paper, s.card.network, s.name != s.card.network, s.name))
    )


def _result(name: str, card: Card) -> Result:
    part, ways = list(card.metrics.items())[-1]
    accuracy: dict[str, Interval] = {way: accuracy_of(measures) for way, measures in ways.items()}
    seconds = [_column(each, "seconds") for each in (name, *starts(card))]
    epochs, minutes = sum(map(len, seconds)) or card.epochs, sum(map(sum, seconds)) / 60 or card.wall_seconds / 60
    return Result(name, card, part, accuracy, epochs, minutes, _calibration(name, part))


def _calibration(name: str, part: str) -> tuple[float, float] | None:
    try:
        found = calibration.of(name, part)
    except CheckpointError:
        return None
    return (found.before.ece, found.after.ece) if found.after else None


@dataclass(frozen=True)
class Untrained:
    """A network that has no measured checkpoint.

    Attributes:
        network: name of the network.
        recipe: recipe by which it would be trained, with what is changed in the network.
        minutes: estimated duration in minutes, by the name of the device; empty where no step was measured.
    """

    network: str
    recipe: str
    minutes: dict[str, float]


def untrained() -> tuple[Untrained, ...]:
    """Every network without a measured checkpoint, but for the ensemble, which is not trained."""
    known = {card.network for card in cards().values()} | {"ensemble"}
    timed = _timed()
    return tuple(_untrained(name, timed) for name in list_models() if name not in known)


def _untrained(network: str, timed: dict[str, dict[str, dict]]) -> Untrained:
    rows = {device: rows[network] for device, rows in timed.items() if network in rows}
    listed = [(run.recipe, run.overrides) for run in read_list() if run.network == network]
    timed_as = [(row["recipe"], row.get("overrides", {})) for row in rows.values()]
    recipe, overrides = next(iter((*timed_as, *listed)), (get_spec(network).recipe, {}))
    words = ", ".join((recipe, *(f"{key}={value}" for key, value in overrides.items())))
    return Untrained(network, words, {device: row["minutes"] for device, row in rows.items()})


def _timed() -> dict[str, dict[str, dict]]:
    """What `benchmarks/training_steps.py` measured: device → network → its row."""
    found = {}
    for file in sorted(STEPS.glob("training_steps_*.json")):
        stored = json.loads(file.read_text(encoding="utf-8"))
        found[stored["device"]] = stored["networks"]
    return found


# ---- how the epoch is chosen, and how fast it comes


@dataclass(frozen=True)
class EpochChoice:
    """The bias of selecting the epoch on the test set.

    Attributes:
        name: name of the checkpoint.
        epoch, accuracy: the one chosen on the validation set, and its accuracy on the test set, single view.
        best_epoch, best_accuracy: the best one on the test set, which some papers report.
        epochs: how many there were to choose from.
    """

    name: str
    epoch: int
    accuracy: float
    best_epoch: int
    best_accuracy: float
    epochs: int


def epoch_choices() -> tuple[EpochChoice, ...]:
    """The choice of the epoch of every checkpoint with a history and a separate test set, in the order of `results`."""
    found = []
    for result in results():
        if len(result.card.metrics) == 1:  # its split has one part for both, so there is nothing to compare
            continue
        rows = _column(result.name, "test_accuracy")
        if rows and result.card.best_epoch <= len(rows):
            best = max(range(len(rows)), key=rows.__getitem__)
            epoch = result.card.best_epoch
            found.append(EpochChoice(result.name, epoch, rows[epoch - 1], best + 1, rows[best], len(rows)))
    return tuple(found)


def _column(name: str, column: str) -> list[float]:
    """One column of a history, epoch by epoch; empty where it is missing or damaged."""
    try:
        rows: list[dict[str, Any]] = [{**row} for row in read_history(checkpoint_folder(name) / HISTORY)]
        return [row[column] for row in rows]
    except (OSError, ValueError):
        return []


@dataclass(frozen=True)
class Convergence:
    """How many epochs a training run takes to reach an accuracy, with batch norm and without.

    Attributes:
        with_norm, without_norm: names of the checkpoints, which differ in nothing else.
        best: accuracy of the best epoch on the validation set, with and without.
        majority: accuracy there of always predicting the largest class.
        levels: accuracies above it that both reach, rising; none where one of them hardly learns.
        epochs: number of epochs to each level, with and without.
    """

    with_norm: str
    without_norm: str
    best: tuple[float, float]
    majority: float
    levels: tuple[float, ...]
    epochs: tuple[tuple[int, int], ...]

    @property
    def saved(self) -> float | None:
        """Share of the epochs that batch norm saves to the highest level that both reach, up to 1; None without one."""
        if not self.epochs:
            return None
        with_norm, without_norm = self.epochs[-1]
        return 1 - with_norm / without_norm


_CHANCE = 0.01
"""Margin above the majority-class accuracy that counts as learning; less may be chance."""
WITHOUT_NORM = {"batch_norm": False}
"""The override that builds a network without batch norm."""


def convergence() -> tuple[Convergence, ...]:
    """Every pair of training runs that differ in batch norm alone; empty where none was run."""
    known, found = cards(), []
    for name, card in known.items():
        if card.overrides == WITHOUT_NORM:
            same = [n for n, c in known.items() if not c.overrides and _training(c) == _training(card)]
            pair = same and _convergence(same[0], name)
            if pair:
                found.append(pair)
    return tuple(found)


def optimizer_of(card: Card) -> str:
    """Optimizer and highest learning rate of the card's recipe, in words; the recipe's name where it is not known."""
    if card.recipe not in RECIPES:
        return card.recipe
    config = from_recipe(card.recipe, model=card.network)
    optimizer = {"sgd": "SGD", "adam": "Adam", "adamw": "AdamW"}[config.optimizer]
    return f"{optimizer} at {config.learning_rate:g}"


def _training(card: Card) -> tuple:
    return card.network, card.recipe, card.split, card.seed, card.epochs, card.ancestors


def _convergence(with_norm: str, without_norm: str) -> Convergence | None:
    curves = [_column(name, "validation_accuracy") for name in (with_norm, without_norm)]
    if not all(curves):
        return None
    supports = [m["support"] for m in next(iter(read_card(with_norm).metrics.values()))["plain"]["per_class"].values()]
    majority, best = max(supports) / sum(supports), (max(curves[0]), max(curves[1]))
    levels = tuple(level / 100 for level in range(5, 100, 5) if majority + _CHANCE < level / 100 <= min(best))
    epochs = tuple((_first(curves[0], level), _first(curves[1], level)) for level in levels)
    return Convergence(with_norm, without_norm, best, majority, levels, epochs)


def _first(curve: list[float], level: float) -> int:
    return next(i for i, value in enumerate(curve, 1) if value >= level)
