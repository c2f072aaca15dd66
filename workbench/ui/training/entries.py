"""The entries of the Train form, each under "train-NAME" in the session; see `services.training.choices`."""

from __future__ import annotations

import streamlit as st

from workbench.services import training
from workbench.services.training import PRESETS, Plan

PRESET_TITLES = {preset.title: preset for preset in PRESETS}
"""Title of a preset → the preset, in the order of the form."""


def offer(plan: Plan) -> None:
    """Fill the form with a plan at the next run; presets chosen later keep its dataset."""
    st.session_state["train-wanted"] = plan
    st.session_state["preset-set"] = plan.set


def begin() -> None:
    """Set the values of the widgets before the first one is drawn, from the preset or from `offer`."""
    if "train-preset" not in st.session_state:
        st.session_state["train-preset"] = PRESETS[0].title
    if wanted := st.session_state.pop("train-wanted", None):
        _take(wanted)
    elif "train-model" not in st.session_state:
        take_preset()


def current() -> dict:
    """All entries by name, as `services.training.plan_of` takes them."""
    return {key.removeprefix("train-"): value for key, value in st.session_state.items() if key.startswith("train-")}


def _show(entries: dict) -> None:
    """Set the values of the widgets, and remember the network and the dataset that they belong to."""
    st.session_state.update({f"train-{name}": value for name, value in entries.items()})
    st.session_state["train-fitted"] = (st.session_state["train-model"], st.session_state["train-set"])


def _take(plan: Plan) -> None:
    _show(training.entries_of(plan))


def take_preset() -> None:
    """Take a preset, on the dataset that was chosen before, if any; the presets' own ones do not count as chosen."""
    wanted = st.session_state.get("preset-set")
    _take(PRESET_TITLES[st.session_state["train-preset"]].on(wanted if wanted in training.set_names() else None))


def take_set() -> None:
    """Let the presets follow the dataset; one that belongs to another dataset gives way to the first."""
    held = st.session_state
    preset, held["preset-set"] = PRESET_TITLES[held["train-preset"]], held["train-set"]
    if not preset.any_set and held["train-set"] != preset.plan.set:
        held["train-preset"] = PRESETS[0].title
        take_preset()
        return
    refit()
    if not held["train-title"] and preset.describes(held["train-model"], held["train-start_from"], held["train-set"]):
        held["train-title"] = preset.on(held["train-set"]).title


def forget_set(name: str) -> None:
    """Go back to the preset's own dataset at the next run if the form has this one, which was deleted."""
    if st.session_state.get("preset-set") == name:
        del st.session_state["preset-set"]
    if st.session_state.get("train-set") == name:
        st.session_state["train-wanted"] = PRESETS[0].plan


def take_recipe() -> None:
    """Show the values of the chosen recipe."""
    _show(training.with_recipe(current()))


def refit() -> None:
    """Show what changes with the chosen network or dataset."""
    _show(training.refitted(current(), *st.session_state["train-fitted"]))


def take_start() -> None:
    """Show the architecture that the chosen initial weights were built with."""
    _show(training.with_start(current()))
