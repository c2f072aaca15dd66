"""Which trainings led to a checkpoint: the weights it began with, and the networks it was distilled from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from .checkpoints import Card, CheckpointError, read_card

IMAGENET = "ImageNet"
"""What `Card.started_from` holds where a backbone's ImageNet weights were the start."""


def starts(card: Card) -> list[str]:
    """Names of the checkpoints whose weights a training began with, the last first; ends where a card is missing."""
    return _walk(card, lambda card: (card.started_from,))


def ancestors(card: Card) -> list[str]:
    """Names of all checkpoints that a training began with or was distilled from, and of those that these did."""
    return _walk(card, lambda card: (card.started_from, card.taught_by))


def related(first: str | Path, second: str | Path) -> bool:
    """Whether two checkpoints are not of different trainings, so that they make much the same errors.

    That is so where one is an ancestor of the other, as a start or as a teacher, at any distance; and where both began
    with the same trained weights, directly or through others. Two that share only a teacher, or only ImageNet weights,
    are different trainings: neither has the weights of the other, nor those of a third that was trained on faces.

    Raises:
        CheckpointError: one of them has no card.
    """
    one, two = Path(first).name, Path(second).name
    cards = read_card(first), read_card(second)
    if one == two or one in ancestors(cards[1]) or two in ancestors(cards[0]):
        return True
    shared = set(starts(cards[0])) & set(starts(cards[1]))
    return bool(shared - {IMAGENET})


def shared_teachers(names: Iterable[str]) -> list[str]:
    """Sorted names of the networks that two or more of these checkpoints were distilled from."""
    found = [card.taught_by for card in map(read_card, names) if card.taught_by]
    return sorted({name for name in found if found.count(name) > 1})


def _walk(card: Card, parents: Callable[[Card], tuple[str | None, ...]]) -> list[str]:
    found, waiting = [], [card]
    while waiting:
        for name in parents(waiting.pop(0)):
            if name is None or name in found:
                continue
            found.append(name)
            try:
                waiting.append(read_card(name))
            except CheckpointError:  # it did not ship, or is no checkpoint: its own ancestors are not known
                continue
    return found
