"""An ensemble of trained networks, chosen on the validation part from the answers that lie beside their weights.

Networks are taken one after another, always the one with which the mean of the probabilities has the least log loss on
PublicTest, until none lowers it (forward selection, Caruana et al. 2004, "Ensemble selection from libraries of models",
without repetition). PrivateTest plays no part in the choice and is measured once, afterwards.

The checkpoint of an ensemble holds no weights but those of the vote: its members bring their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

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
from .evaluation import measure
from .files import write_bytes

NAME = "ensemble"
SPLIT, CHOSEN_ON, REPORTED_ON = "official", "PublicTest", "PrivateTest"


@dataclass(frozen=True)
class Choice:
    """Which networks vote.

    Attributes:
        members: names of the checkpoints, in the order in which they were taken.
        log_losses: of the first one, two, … together on the validation part, falling.
        of: how many there were to choose from.
    """

    members: tuple[str, ...]
    log_losses: tuple[float, ...]
    of: int


def candidates() -> list[str]:
    """Checkpoints with weights that were trained and measured on the same official split: the one of most of them."""
    cards = {}
    for name in list_checkpoints():
        try:
            card = read_card(name)
        except CheckpointError:  # one damaged card must not hide the others
            continue
        if card.network != NAME and card.split == SPLIT and {CHOSEN_ON, REPORTED_ON} <= set(card.metrics):
            cards[name] = card
    same = [(card.data, card.classes) for card in cards.values()]
    return [name for name, card in cards.items() if (card.data, card.classes) == max(same, key=same.count)]


def choose(names: Sequence[str]) -> Choice:
    """Choose members among checkpoints; raises CheckpointError where their stored answers are missing or differ."""
    if not names:
        raise CheckpointError("There is no trained network to choose from. Train some first: ferscope zoo")
    shares, labels = _probabilities(names, CHOSEN_ON)
    chosen: list[str] = []
    losses: list[float] = []
    while len(chosen) < len(names):
        tried = {name: _log_loss([shares[n] for n in (*chosen, name)], labels) for name in names if name not in chosen}
        best = min(tried, key=tried.get)
        if losses and tried[best] >= losses[-1]:
            break
        chosen.append(best)
        losses.append(tried[best])
    return Choice(tuple(chosen), tuple(losses), len(names))


def is_shipped(choice: Choice) -> bool:
    """Whether checkpoints/ensemble is this very choice, of the weights that its members have now."""
    try:
        card = read_card(NAME)
        stored, now = _in_order(NAME, CHOSEN_ON), voted(choice.members, CHOSEN_ON)
    except CheckpointError:
        return False
    same = list(card.overrides.get("members", ())) == list(choice.members)
    before, after = stored.logits.softmax(-1), now.logits.softmax(-1)
    return same and before.shape == after.shape and torch.allclose(before, after, atol=1e-4)


def ship(choice: Choice) -> Card:
    """Write checkpoints/ensemble: weights of the vote, stored answers, and the card with the plain measures.

    The other ways to average over views need the pictures: `evaluate`.
    """
    members = [read_card(name) for name in choice.members]
    found = {part: voted(choice.members, part) for part in (CHOSEN_ON, REPORTED_ON)}
    card = dataclasses.replace(
        members[0],
        network=NAME,
        overrides={"members": list(choice.members)},
        input_size=min(card.input_size for card in members),
        recipe=NAME,
        started_from=None,
        taught_by=None,
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
    """What an ensemble answers to a part: the log of the mean probability of its members' stored answers."""
    shares, labels = _probabilities(members, part)
    stored = _in_order(members[0], part)
    mean = torch.stack(list(shares.values())).mean(0)  # (N, K)
    return dataclasses.replace(stored, logits=mean.clamp_min(1e-30).log(), labels=labels)


def _probabilities(names: Sequence[str], part: str) -> tuple[dict[str, Tensor], Tensor]:
    """Of each checkpoint the probabilities (N, K) for the same pictures, and their labels (N,)."""
    stored = {name: _in_order(name, part) for name in names}
    first = stored[names[0]]
    for name, found in stored.items():
        if found.ids.tolist() != first.ids.tolist() or found.logits.shape != first.logits.shape:
            raise CheckpointError(f"{name} and {names[0]} answered other pictures of {part}: ferscope evaluate {name}")
    return {name: found.logits.softmax(-1) for name, found in stored.items()}, first.labels


def _in_order(name: str, part: str) -> Predictions:
    """Stored answers by the ids of the pictures, whose order in the set depends on how it was imported."""
    found = read_predictions(name, part)
    order = found.ids.argsort()
    return Predictions(found.logits[order], found.labels[order], found.names[order], found.ids[order])


def _log_loss(shares: list[Tensor], labels: Tensor) -> float:
    return F.nll_loss(torch.stack(shares).mean(0).clamp_min(1e-30).log(), labels).item()
