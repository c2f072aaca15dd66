"""An ensemble of trained networks, chosen on the validation set from the predictions that lie beside their weights.

Networks are taken one after another, always the one with which the mean of the probabilities has the least log loss on
PublicTest, until none lowers it (forward selection, Caruana et al. 2004, "Ensemble selection from libraries of models",
without repetition). Only networks of different runs are taken (`lineage.related`): a network and the one whose weights
it started from make similar errors, so that averaging them gains nothing. An ensemble ships only where it is more
accurate
on PublicTest than the best single network. PrivateTest plays no part in the choice and is measured once, afterwards.

The checkpoint of an ensemble holds no weights but those of the vote: its members bring their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from .calibration import fit_temperature
from .checkpoints import (
    ROOT,
    Card,
    CheckpointError,
    Predictions,
    list_checkpoints,
    read_card,
    read_predictions,
    write_card,
    write_predictions,
)
from .files import write_bytes
from .lineage import related, shared_teachers
from .metrics import measure

NAME = "ensemble"
SPLIT, CHOSEN_ON, REPORTED_ON = "official", "PublicTest", "PrivateTest"


@dataclass(frozen=True)
class Choice:
    """Which networks were chosen to be averaged, and whether that is better than the best of them alone.

    Attributes:
        members: names of the checkpoints, in the order in which they were taken.
        log_losses, accuracies: metrics of the first one, two, … members together on PublicTest; the log losses are in
            descending order.
        of: how many there were to choose from.
        best: the single network with the highest accuracy on PublicTest, and `best_accuracy`.
        rejected: the network whose addition would have given the lowest log loss, although it raised it; None where
            none was left. `rejected_log_loss` and `rejected_accuracy` are those of the members together with it.
        related: candidates that were left out because they are related to a member, each with that member.
        agreement: share of PublicTest on which two networks predict the same class, for each two of the members and,
            where one was rejected, for each member and that one.
        shared_teachers: networks that several members were distilled from.
    """

    members: tuple[str, ...]
    log_losses: tuple[float, ...]
    accuracies: tuple[float, ...]
    of: int
    best: str
    best_accuracy: float
    rejected: str | None = None
    rejected_log_loss: float | None = None
    rejected_accuracy: float | None = None
    related: tuple[tuple[str, str], ...] = ()
    agreement: Mapping[tuple[str, str], float] = field(default_factory=dict)
    shared_teachers: tuple[str, ...] = ()

    @property
    def ships(self) -> bool:
        """Whether there are several members, and they are more accurate together than the best single network."""
        return len(self.members) > 1 and self.accuracies[-1] > self.best_accuracy


def candidates() -> list[str]:
    """Checkpoints with weights that were trained and measured on the same official split: the one of most of them.

    Those whose ancestors have seen test images (`Card.seen`) are left out.
    """
    cards = {}
    for name in list_checkpoints():
        try:
            card = read_card(name)
        except CheckpointError:  # one damaged card must not hide the others
            continue
        measured = {CHOSEN_ON, REPORTED_ON} <= set(card.metrics)
        if card.network != NAME and card.split == SPLIT and measured and not card.seen:
            cards[name] = card
    same = [(card.data, card.classes) for card in cards.values()]
    return [name for name, card in cards.items() if (card.data, card.classes) == max(same, key=same.count)]


def choose(names: Sequence[str]) -> Choice:
    """Choose members among checkpoints; raises CheckpointError where predictions are missing or of other images."""
    if not names:
        raise CheckpointError("There is no trained network to choose from. Train some first: ferscope zoo")
    shares, labels = _probabilities(names, CHOSEN_ON)
    chosen: list[str] = []
    losses: list[float] = []
    rejected, raised = None, None
    while left := _unrelated(names, chosen):
        tried = {name: _log_loss([shares[n] for n in (*chosen, name)], labels) for name in left}
        best = min(tried, key=tried.__getitem__)
        if losses and tried[best] >= losses[-1]:
            rejected, raised = best, tried[best]
            break
        chosen.append(best)
        losses.append(tried[best])
    alone = {name: _accuracy([shares[name]], labels) for name in names}
    best = max(alone, key=alone.__getitem__)
    together = (*chosen, rejected) if rejected else tuple(chosen)
    return Choice(
        members=tuple(chosen),
        log_losses=tuple(losses),
        accuracies=tuple(_accuracy([shares[n] for n in chosen[: i + 1]], labels) for i in range(len(chosen))),
        of=len(names),
        best=best,
        best_accuracy=alone[best],
        rejected=rejected,
        rejected_log_loss=raised,
        rejected_accuracy=_accuracy([shares[n] for n in together], labels) if rejected else None,
        related=tuple((n, m) for n in names if n not in chosen for m in chosen if related(n, m)),
        agreement={(a, b): _agreement(shares[a], shares[b]) for a, b in combinations(together, 2)},
        shared_teachers=tuple(shared_teachers(chosen)),
    )


def _unrelated(names: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """The networks that may join those that were chosen: none of these, and of other training runs."""
    return [name for name in names if not any(related(name, member) for member in chosen)]


def is_shipped(choice: Choice) -> bool:
    """Whether checkpoints/ensemble is this very choice, of the weights that its members have now."""
    try:
        card = read_card(NAME)
        stored, now = _in_order(NAME, CHOSEN_ON), voted(choice.members, CHOSEN_ON)
    except CheckpointError:
        return False
    same = card.overrides.get("members") == list(choice.members)
    before, after = stored.logits.softmax(-1), now.logits.softmax(-1)
    return same and before.shape == after.shape and torch.allclose(before, after, atol=1e-4)


def ship(choice: Choice) -> Card:
    """Write checkpoints/ensemble: weights of the vote, stored predictions, and the card with single-view metrics.

    The other ways to average over views need the images: `evaluate`.
    """
    members = [read_card(name) for name in choice.members]
    found = {part: voted(choice.members, part) for part in (CHOSEN_ON, REPORTED_ON)}
    color = any(card.color for card in members)
    card = dataclasses.replace(
        members[0],
        network=NAME,
        overrides={"members": list(choice.members)} | ({"channels": 3} if color else {}),
        gray_images=not color,
        input_size=min(card.input_size for card in members),
        recipe=NAME,
        ancestors=tuple(card.as_ancestor(name, "member") for name, card in zip(choice.members, members, strict=True)),
        seen={},
        seed=0,
        epochs=0,
        best_epoch=0,
        wall_seconds=0,
        parameters=sum(card.parameters for card in members),
        metrics={part: {"plain": measure(p.logits, p.labels, members[0].classes)} for part, p in found.items()},
        temperature=fit_temperature(found[CHOSEN_ON].logits, found[CHOSEN_ON].labels),
    )
    folder = ROOT / NAME
    votes = torch.full((len(members),), 1 / len(members))
    write_bytes(folder / "model.safetensors", safetensors.torch.save({"weights": votes}))
    write_predictions(folder, found)
    write_card(folder, card)
    return card


def voted(members: Sequence[str], part: str) -> Predictions:
    """An ensemble's predictions for a split: the log of the mean probability of its members' stored predictions."""
    shares, labels = _probabilities(members, part)
    stored = _in_order(members[0], part)
    mean = torch.stack(list(shares.values())).mean(0)  # (N, K)
    return dataclasses.replace(stored, logits=mean.clamp_min(1e-30).log(), labels=labels)


def _probabilities(names: Sequence[str], part: str) -> tuple[dict[str, Tensor], Tensor]:
    """The probabilities (N, K) of each checkpoint for the same images, and their labels (N,)."""
    stored = {name: _in_order(name, part) for name in names}
    first = stored[names[0]]
    for name, found in stored.items():
        if found.ids.tolist() != first.ids.tolist() or found.logits.shape != first.logits.shape:
            raise CheckpointError(f"{name} and {names[0]} differ in their images of {part}: ferscope evaluate {name}")
    return {name: found.logits.softmax(-1) for name, found in stored.items()}, first.labels


def _in_order(name: str, part: str) -> Predictions:
    """Stored predictions by the ids of the images, whose order depends on how the dataset was imported."""
    found = read_predictions(name, part)
    order = found.ids.argsort()
    return Predictions(found.logits[order], found.labels[order], found.names[order], found.ids[order])


def _accuracy(shares: list[Tensor], labels: Tensor) -> float:
    return (torch.stack(shares).mean(0).argmax(-1) == labels).double().mean().item()


def _agreement(first: Tensor, second: Tensor) -> float:
    return (first.argmax(-1) == second.argmax(-1)).double().mean().item()


def _log_loss(shares: list[Tensor], labels: Tensor) -> float:
    return F.nll_loss(torch.stack(shares).mean(0).clamp_min(1e-30).log(), labels).item()
