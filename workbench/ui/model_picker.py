"""The upper part of the sidebar: choose a network."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import streamlit as st
import torch

from models import Card, create_model
from models.checkpoints import CheckpointError, broken_checkpoints, read_card
from models.text import counted
from workbench import services

from . import url_state


def choose() -> dict[str, str]:
    """Let the visitor choose a network; `state.network()` is the result, and here it is as the link names it."""
    names = grouped()
    before = st.session_state.setdefault("network", services.networks.DEFAULT_NETWORK)
    if before not in names:  # a training that was removed, or goes on
        url_state.note(
            f"The network {url_state.quoted(before)} is not here any more; shown is "
            f"{services.networks.DEFAULT_NETWORK}."
        )
        st.session_state["network"] = services.networks.DEFAULT_NETWORK
    asked = url_state.asked("network")
    if asked in names:
        st.session_state["network"] = asked
    elif asked is not None:
        url_state.note(f"The link asks for a network {url_state.quoted(asked)}, which is not here.")
    name = st.selectbox("Network", names, format_func=label, key="network", help=_HELP)
    st.caption(described(name))
    if others := [why for broken, why in broken_checkpoints().items() if broken != name]:
        with st.expander(f"{counted(len(others), 'checkpoint is', 'checkpoints are')} broken"):
            for why in others:
                st.text(why)
    return {"network": name}


def random_weights_banner(network: str) -> None:
    """What stands above every result of a network that was not trained."""
    st.warning(
        f"**Random weights.** {network} has no trained weights here, so its answers and maps mean nothing. "
        f"Train it with `ferscope train --model {network}`, or choose another network." + _measured_before(network)
    )


def _measured_before(network: str) -> str:
    """Of a network whose weights were not kept: where what it answered still stands."""
    trained = [
        name for name in services.metrics.evaluation.checkpoints() if (card := _card(name)) and card.network == network
    ]
    if not trained:
        return ""
    return f" Of earlier trainings the answers are kept, not the weights (page Metrics): {', '.join(trained)}."


def grouped() -> tuple[str, ...]:
    """What was trained here, then all networks by paper, the trained ones first; other trainings behind each."""
    jobs, others = [], {}
    for name in services.networks.checkpoint_names():
        if services.networks.is_job(name):
            jobs.append(name)
        elif card := _card(name):
            others.setdefault(card.network, []).append(name)
    return (*jobs, *(name for network in _networks() for name in (network, *others.get(network, ()))))


def _networks() -> tuple[str, ...]:
    return tuple(sorted(services.networks.network_names(), key=lambda name: services.networks.get_spec(name).paper))


def label(name: str) -> str:
    """One line of the list: paper, title, accuracy if it is trained, size; of a job title and accuracy."""
    spec, share = services.networks.get_spec(name), accuracy(name)
    told = [spec.title] if share is None else [spec.title, f"{100 * share:.1f} %"]
    if (card := _card(name)) and card.seen:
        told.append("not a test")
    if not services.networks.is_job(name):
        told.insert(0, spec.paper)
    if name in services.networks.network_names():
        told.append(millions(name))
    return " · ".join(told)


def described(name: str) -> str:
    """A network in one or two sentences: whose it is, how large, what it is worth."""
    spec, share, card = services.networks.get_spec(name), accuracy(name), _card(name)
    if card is not None and share is None:
        return (
            f"`{card.network}`, paper {spec.paper}, {millions(name)} parameters. {spec.title}: its weights after epoch "
            f"{card.best_epoch}. Not measured on FER2013's test faces."
        )
    if name in (broken := broken_checkpoints()):
        return f"`{name}`, paper {spec.paper}. Its checkpoint is broken: `{broken[name].replace('`', ' ')}`"
    whose = f"`{name}`, paper {spec.paper}, {millions(name)} parameters."
    if share is None:
        return f"{whose} Untrained: random weights, which answer nothing."
    way, measures = _measured(name)
    worth = f"{whose} Names {100 * share:.1f} % of FER2013's PrivateTest faces as they are labelled ({way})."
    one_class = _no_better_than(measures)
    if card.caveat:
        worth += f" {card.caveat}"
    if one_class is None:
        never = [name for name, row in measures["per_class"].items() if row["recall"] == 0]
        return f"{worth} It never recognises {' and '.join(never)}." if never else worth
    return f"{worth} One class named always is right in {100 * one_class:.1f} %: it has hardly learned, trust no map."


def _no_better_than(measured: dict[str, Any]) -> float | None:
    """The share of the most frequent class, where the accuracy's 95 % interval reaches down to it."""
    supports = [row["support"] for row in measured.get("per_class", {}).values()]
    if not supports or measured["accuracy_interval"][0] > max(supports) / sum(supports):
        return None
    return max(supports) / sum(supports)


def accuracy(name: str) -> float | None:
    """Share of right answers on FER2013's PrivateTest, see `_measured`; None where that was not measured."""
    return measured[1]["accuracy"] if (measured := _measured(name)) else None


def _measured(name: str) -> tuple[str, dict[str, Any]] | None:
    """How views were averaged, and the measures on FER2013's PrivateTest: by flip averaging, else in a single view."""
    card = _card(name)
    if card is None or not services.metrics.evaluation.is_of_fer2013(card):
        return None
    ways = card.metrics["PrivateTest"]
    return ("flip averaging", ways["flip"]) if "flip" in ways else ("single view", ways["plain"])


def millions(name: str) -> str:
    """Number of trainable parameters: 1.94 M."""
    card = _card(name)
    return f"{(card.parameters if card else _parameters(name)) / 1e6:.2f}\N{NO-BREAK SPACE}M"


def warm() -> None:
    """Count the parameters of every network, which takes some seconds the first time."""
    for name in grouped():
        millions(name)


_HELP = (
    "Ordered by paper, A to E; type to search, for example BAM or mobile. Each network with the number of its "
    "parameters; of a trained one also the share of FER2013's PrivateTest faces that it names as they are labelled "
    "(flip averaging). Other trainings of a network stand behind it, with the names of their folders. What you trained "
    "here comes first."
)


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
