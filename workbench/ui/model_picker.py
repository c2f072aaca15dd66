"""The network of the toolbar."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import streamlit as st
import torch

from models import Card, create_model, list_models
from models.checkpoints import CheckpointError, broken_checkpoints, fault, read_card
from models.conversion import RECIPE
from models.datasets import EMOTIONS
from models.text import counted, percentage
from workbench import services

from . import charts, url_state

NO_WEIGHTS = "weights not included"
"""Said of a network without a checkpoint here, in the list, above its results and where networks are compared."""


def choose() -> dict[str, str]:
    """Let the visitor choose a network, stored for `state.network()`; return it as a query parameter."""
    names, broken_ones = _listed(services.networks.stamps(), charts.is_phone())
    before = st.session_state.setdefault("network", services.networks.DEFAULT_NETWORK)
    if before not in names:  # a training run that was removed or resumed
        url_state.note(
            f"The network {url_state.quoted(before)} no longer exists; using {services.networks.DEFAULT_NETWORK}."
        )
        st.session_state["network"] = services.networks.DEFAULT_NETWORK
    requested = url_state.requested("network")
    if requested in names:
        st.session_state["network"] = requested
    elif requested is not None:
        url_state.note(f"The link has the network {url_state.quoted(requested)}, which does not exist here.")
    name = st.selectbox("Network", names, format_func=names.get, key="network", label_visibility="collapsed")
    with st.popover("Info"):
        st.caption(described(name))
        if others := [why for broken, why in broken_ones.items() if broken != name]:
            st.markdown(f"{counted(len(others), 'checkpoint is', 'checkpoints are')} damaged:")
            for why in others:
                st.text(why)
        st.caption(_HELP)
    return {"network": name}


@lru_cache(maxsize=8)
def _listed(stamps: tuple, phone: bool) -> tuple[dict[str, str], dict[str, str]]:
    """The label of each network by its name, in the order of the list, and what is wrong with damaged checkpoints.

    Made again when a network, a checkpoint or a job has changed (`stamps`), and for phones.
    """
    return {name: label(name) for name in grouped()}, broken_checkpoints()


def random_weights_banner(network: str) -> None:
    """Warn above every result of a network whose weights are not included."""
    st.warning(
        f"**{NO_WEIGHTS.capitalize()}.** {services.networks.get_spec(network).title} has random weights here, so its "
        "predictions and maps mean nothing. "
        f"Train it with `ferscope train --model {network}`, or choose another network." + _measured_before(network)
    )


def _measured_before(network: str) -> str:
    """A sentence for a network whose weights were not kept: which earlier training runs have stored predictions."""
    trained = [
        name for name in services.metrics.evaluation.checkpoints() if (card := _card(name)) and card.network == network
    ]
    if not trained:
        return ""
    return f" The page Metrics has stored predictions of earlier training runs: {', '.join(trained)}."


def grouped() -> tuple[str, ...]:
    """Training runs of this computer, then all networks by paper; other checkpoints follow their network."""
    jobs, others = [], {}
    for name in services.networks.checkpoint_names():
        if services.networks.is_job(name):
            jobs.append(name)
        elif card := _card(name):
            others.setdefault(card.network, []).append(name)
    unlisted = [name for network in others.keys() - set(_networks()) for name in others[network]]
    return (
        *jobs,
        *sorted(unlisted),
        *(name for network in _networks() for name in (network, *others.get(network, ()))),
    )


def _networks() -> tuple[str, ...]:
    return tuple(sorted(services.networks.network_names(), key=lambda name: services.networks.get_spec(name).paper))


def label(name: str) -> str:
    """One line of the list: paper, title, test accuracy or `NO_WEIGHTS`, parameters; for a job title and accuracy."""
    spec, share = services.networks.get_spec(name), accuracy(name)
    parts = [spec.title] if share is None else [spec.title, f"{percentage(share)} accuracy"]
    if (card := _card(name)) and card.seen:
        parts.append("saw test images")
    if not services.networks.is_trained(name):
        parts.append("damaged" if _fault(name) else NO_WEIGHTS)
    if not services.networks.is_job(name):
        parts.insert(0, spec.paper or "own")
    if name in list_models() and not charts.is_phone():
        parts.append(f"{millions(name)} parameters")
    return " · ".join(parts)


def described(name: str) -> str:
    """A network in one or two sentences: name, paper, number of parameters, test accuracy, caveats."""
    spec, share, card = services.networks.get_spec(name), accuracy(name), _card(name)
    origin = f"paper {spec.paper}" if spec.paper else "added here"
    if card is not None and share is None:
        return (
            f"`{card.network}`, {origin}, {millions(name)} parameters. {spec.title}: {_weights(card)}. Not evaluated "
            "on FER2013."
        )
    if why := _fault(name):
        return f"`{name}`, {origin}. Its checkpoint is damaged: `{why.replace('`', ' ')}`"
    text = f"`{name}`, {origin}, {millions(name)} parameters."
    if share is None:
        return f"{text} {NO_WEIGHTS.capitalize()}: they are random."
    how, measures = _measured(name)
    text += f" Test accuracy {percentage(share)} (FER2013 PrivateTest, {how})."
    majority = _no_better_than(measures)
    if card.caveat:
        text += f" {card.caveat}"
    if majority is None:
        never = [name for name, row in measures["per_class"].items() if row["recall"] == 0]
        return f"{text} It never predicts {' or '.join(never)} correctly." if never else text
    return (
        f"{text} Always predicting the largest class gives {percentage(majority)}: it has hardly learned anything, so "
        "trust none of its maps."
    )


def _weights(card: Card) -> str:
    """Where the weights of a card come from, in a few words."""
    classes = "" if card.classes == EMOTIONS else f" for {counted(len(card.classes), 'class', 'classes')}"
    if card.recipe != RECIPE:
        return f"weights after epoch {card.best_epoch}{classes}"
    return f"converted weights{classes}, {'RGB' if card.color else 'gray'} at {card.input_size} px"


def _no_better_than(measured: dict[str, Any]) -> float | None:
    """The share of the largest class, if the accuracy's 95 % interval reaches down to it; else None."""
    majority = services.metrics.evaluation.majority_share(measured)
    return majority if measured["accuracy_interval"][0] <= majority else None


def accuracy(name: str) -> float | None:
    """Accuracy on FER2013's PrivateTest, 0..1, see `_measured`; None if it was not measured."""
    return measured[1]["accuracy"] if (measured := _measured(name)) else None


def _measured(name: str) -> tuple[str, dict[str, Any]] | None:
    """How it was evaluated, and the measures on FER2013's PrivateTest: flip averaging if there is, else single view."""
    card = _card(name)
    if card is None or not services.metrics.evaluation.is_of_fer2013(card):
        return None
    ways = card.metrics["PrivateTest"]
    return ("flip averaging", ways["flip"]) if "flip" in ways else ("single view", ways["plain"])


def millions(name: str) -> str:
    """Number of trainable parameters in millions, e.g. "1.94 M"."""
    card, stated = _card(name), services.networks.get_spec(name).parameters
    return f"{(card.parameters if card else stated or _parameters(name)) / 1e6:.2f}\N{NO-BREAK SPACE}M"


_HELP = (
    "The list is ordered by paper, A to E; type to search, for example BAM or mobile. Each line has the accuracy on "
    f"FER2013's PrivateTest (flip averaging) and the number of parameters. {NO_WEIGHTS.capitalize()}: "
    "FERScope has no trained ones, so they are random; the page Train trains them. "
    "Other checkpoints of a network follow it, named by their folder. Your own training runs come first."
)


def _fault(name: str) -> str | None:
    return fault(services.networks.folder_of(name))


def _card(name: str) -> Card | None:
    path = services.networks.folder_of(name) / "card.json"
    try:
        return _read(str(path.parent), path.stat().st_mtime_ns)
    except OSError:
        return None


@lru_cache(maxsize=256)
def _read(folder: str, stamp: int) -> Card | None:
    try:
        return read_card(folder)
    except CheckpointError:
        return None


@lru_cache(maxsize=256)
def _parameters(name: str) -> int:
    with torch.device("meta"):  # shapes without numbers
        return sum(p.numel() for p in create_model(name).parameters() if p.requires_grad)
