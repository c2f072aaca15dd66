"""A trained network for other classes: the backbone is kept, and of the head the rows of the classes that both have."""

from __future__ import annotations

import logging

from torch import nn

from ..cards import Card
from ..footprint import on_meta
from ..registry import create_model
from .errors import TrainingError

_log = logging.getLogger(__name__)


def with_classes(model: nn.Module, card: Card, classes: tuple[str, ...]) -> nn.Module:
    """The network with a head for other classes.

    The head is made of the parameters whose size depends on the number of classes. Its rows for classes that the
    checkpoint does not have get random weights, as in a new network.

    Args:
        model, card: the trained network and its card.
        classes: the new ones, in order.

    Raises:
        TrainingError: a network with a branch for each class, whose branches cannot be matched.
    """
    if classes == card.classes:
        return model
    new = create_model(card.network, len(classes), pretrained=False, **card.overrides)
    own, trained = new.state_dict(), model.state_dict()
    head = _head_names(card)
    if own.keys() != trained.keys() or any(own[name].shape[1:] != trained[name].shape[1:] for name in head):
        raise TrainingError(
            f"{card.network} has a branch for each class: it cannot start from weights for other classes."
        )
    for name, value in trained.items():
        if name not in head:
            own[name] = value
            continue
        for row, class_ in enumerate(classes):
            if class_ in card.classes:
                own[name][row] = value[card.classes.index(class_)]
    new.load_state_dict(own)
    _log.info(_change(card.classes, classes))
    return new


def _head_names(card: Card) -> set[str]:
    """Names of the parameters whose size depends on the number of classes."""
    sizes = []
    for n in (len(card.classes), len(card.classes) + 1):
        state = on_meta(card.network, n, card.overrides).state_dict()
        sizes.append({name: tuple(value.shape) for name, value in state.items()})
    return {name for name, shape in sizes[0].items() if sizes[1].get(name) != shape}


def _change(before: tuple[str, ...], after: tuple[str, ...]) -> str:
    """What of the head is kept, new and dropped, in one sentence."""
    kept, new, dropped = (
        ", ".join(some) or "none"
        for some in (
            [name for name in after if name in before],
            [name for name in after if name not in before],
            [name for name in before if name not in after],
        )
    )
    return f"The checkpoint has other classes. Of its head are kept: {kept}; new: {new}; dropped: {dropped}."
