"""Which training runs led to a checkpoint: the weights it started from, and the networks it was distilled from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from .cards import IMAGENET, Card, chain
from .checkpoints import read_card


def starts(card: Card) -> list[str]:
    """Names of the weights that a training run started from, directly or through others, the last first."""
    found, start = [], card.start
    while start is not None:
        found.append(start.name)
        start = start.start
    return found


def ancestors(card: Card) -> list[str]:
    """Names of all that a training run started from or was distilled from, and that these did, each once."""
    return list(dict.fromkeys(one.name for one in chain(card.ancestors)))


def related(first: str | Path, second: str | Path) -> bool:
    """Whether two checkpoints share a training run, so that their errors are similar.

    That is so where one is an ancestor of the other, as a start or as a teacher, at any distance; and where both
    started from the same trained weights, directly or through others. Two that share only a teacher, or only ImageNet
    weights, are
    different training runs: neither has the weights of the other, nor those of a third that was trained on faces.

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
    found = [card.teacher.name for card in map(read_card, names) if card.teacher]
    return sorted({name for name in found if found.count(name) > 1})
