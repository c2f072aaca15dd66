"""The form for a new training run: preset, main settings, architecture options, and all other settings."""

from __future__ import annotations

import math

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from models.files import DiskFullError
from workbench import services
from workbench.jobs import store
from workbench.jobs.estimate import Estimate
from workbench.jobs.limits import LIMITS
from workbench.jobs.store import JobError
from workbench.services import training
from workbench.services.training import Field, Plan, Preset

from .. import fer2013_import, page_content
from . import entries, live

_EXAMPLE = 72  # pixels, an image of the dataset on the page


@page_content.fragment
def show() -> None:
    """Draw the form; after the start the page shows the job."""
    entries.begin()
    presets = entries.PRESET_TITLES
    title = st.segmented_control(
        "Preset", presets, required=True, wrap=True, key="train-preset", on_change=entries.take_preset
    )
    _describe(presets[title])
    _up_front()
    _exclusions()
    _summary()
    missing = st.session_state["train-set"] not in training.set_names()
    with st.container(horizontal=True, vertical_alignment="center"):
        stopped = missing or store.trouble() is not None  # shown below, above the table of training runs
        start = st.button("Start training", type="primary", key="train-start", disabled=stopped)
        ask = st.button("Estimate the time", key="train-estimate", disabled=missing)
        text = st.empty()
    _examples()
    _options()
    _others()
    if missing:
        return
    try:
        plan = training.plan_of(entries.current())
        if start:
            _start(plan, text)
        if ask:
            training.measure(plan)
    except (JobError, DiskFullError, ValueError) as error:
        st.error(str(error))
        return
    with text.container():
        page_content.fragment(_time, run_every=1.0 if training.measuring(plan) else None)(
            plan, training.measuring(plan)
        )


def _describe(preset: Preset) -> None:
    """Draw what the preset shows, while its network, weights and dataset are still chosen; say what is missing."""
    held = st.session_state
    dataset = held["train-set"]
    if preset.describes(held["train-model"], held["train-start_from"], dataset):
        st.markdown(preset.shows.format(set=training.set_title(dataset)))
    else:
        st.markdown("**Settings of your own.** Another preset replaces them, except for the dataset.")
    if dataset == fer2013_import.NAME:
        fer2013_import.offer()
    elif dataset not in training.set_names():
        st.info(f"The dataset {dataset} is not on this computer. Choose another one.")


def _time(plan: Plan, before: bool) -> None:
    """Draw the estimated time: unknown, being measured, or known."""
    measuring = training.measuring(plan)
    if before and not measuring:
        st.rerun()  # without the timer
    try:
        found = training.estimate(plan)
    except (JobError, DiskFullError, ValueError) as error:
        st.markdown(f"**This cannot be trained:** {error}")
        return
    if measuring:
        st.markdown("Ten steps are being measured in the background.")
    else:
        st.markdown(_text(found) if found else "The time is estimated from ten steps on this computer.")


def _start(plan: Plan, container: DeltaGenerator) -> None:
    def drawing(done: int, total: int) -> None:
        if done % 10 == 0 or done == total:
            container.progress(done / total, text=f"Generating the dataset, only once: {done} of {total}")

    job = training.start(plan, drawing)
    live.watch(job.id)
    st.rerun()


def _text(found: Estimate) -> str:
    return (
        f"**About {training.duration(found.total_seconds)}** for {found.epochs} epochs on this computer "
        f"({found.device}), {training.duration(found.seconds_per_epoch)} each."
    )


def _keep(name: str, options: tuple[str, ...]) -> tuple[str, ...]:
    """The options of a select box; a value that is not among them is replaced by the first."""
    if st.session_state.get(f"train-{name}") not in options:
        st.session_state[f"train-{name}"] = options[0]
    return options


def _in_phases() -> bool:
    """Whether the run has the phases of its recipe or preset instead of one choice of layers."""
    held = st.session_state
    return held["train-trained_stages"] not in training.parts(held["train-model"])


def _up_front() -> None:
    """Draw the main settings in three rows, which keeps their order on a phone."""
    held = st.session_state
    networks = training.trainable_networks()
    network, start, set_ = st.columns(3)
    network.selectbox(
        "Network",
        networks,
        format_func=lambda name: services.networks.get_spec(name).title,
        key="train-model",
        on_change=entries.refit,
    )
    weights = _keep("start_from", training.starts(held["train-model"]))
    start.selectbox(
        "Initial weights",
        weights,
        format_func=training.start_name,
        key="train-start_from",
        on_change=entries.take_start,
    )
    sets = tuple(dict.fromkeys((*training.set_names(), fer2013_import.NAME, held["train-set"])))
    set_.selectbox("Dataset", sets, format_func=training.set_title, key="train-set", on_change=entries.take_set)
    split, recipe, part = st.columns(3)
    splits = _keep("split", training.split_names(held["train-set"]))
    split.selectbox("Split", splits, key="train-split", help=_SPLIT)
    recipe.selectbox("Recipe", training.recipes(), key="train-recipe", on_change=entries.take_recipe, help=_RECIPE)
    layers = _keep("trained_stages", training.parts(held["train-model"], held["train-phases"]))
    part.selectbox("Trainable layers", layers, key="train-trained_stages", help=_LAYERS)
    own = services.networks.get_spec(held["train-model"]).recipe
    if own not in (held["train-recipe"], "quick"):
        st.caption(f"The usual recipe for this network is `{own}`.")
    epochs, minutes, weights, seed = st.columns(4)
    epochs.number_input("Epochs", 1, LIMITS.epochs, key="train-epochs", disabled=_in_phases())
    minutes.number_input(
        "Time limit, minutes", 0.1, LIMITS.minutes, key="train-minutes", placeholder="no limit", format="%g"
    )
    weights.selectbox("Class weights", training.choices_of("class_weights"), key="train-class_weights")
    seed.number_input(
        "Random seed", 0, 2**31 - 1, key="train-seed", help="Seed of initialization, order and augmentation."
    )


def _examples() -> None:
    """Draw a training image of each class, so that datasets differ at a glance."""
    dataset = st.session_state["train-set"]
    if found := training.examples(dataset):
        images = [image.repeat(2, 0).repeat(2, 1) for image in found.values()]
        alt = [f"A training image of {training.set_title(dataset)} labeled {name}" for name in found]
        st.image(images, caption=list(found), width=_EXAMPLE, alt=alt)


def _exclusions() -> None:
    """Draw the choice of an exclusion list, where there are any."""
    lists = _keep("exclude", training.exclusion_lists())
    if len(lists) > 1:
        left, _ = st.columns([1, 2])
        left.selectbox("Exclusion list", lists, key="train-exclude", help=_EXCLUDE)


_EXCLUDE = (
    "Leaves out the training images of a list, such as those with wrong labels; the card records it. Images are put on "
    "lists on the pages Dataset and Metrics. Validation and test set stay whole."
)
_SPLIT = (
    "Training, validation and test set; official: as the dataset defines them. subject-10fold-3: fold 3 of 10, no "
    "person in two of the sets. All folds: ferscope train --split subject-10fold"
)
_RECIPE = "Values for all settings, for example those of a paper. Your changes override them."
_LAYERS = "Other layers are frozen, including their batch normalization statistics."


def _summary() -> None:
    """Draw a summary of the resolved configuration."""
    try:
        found = training.summary(training.resolved(training.plan_of(entries.current())))
    except (JobError, ValueError):
        return  # the error is shown when it is started
    one = len(found.phases) == 1
    steps = found.phases[0] if one else "; ".join(f"{i}. {phase}" for i, phase in enumerate(found.phases, 1))
    built = f" Architecture: {found.options}." if found.options else ""
    st.caption(f"Initial weights: {found.initial_weights}. {'Trainable layers' if one else 'Phases'}: {steps}.{built}")


def _options() -> None:
    """Draw a widget for each architecture option of the network."""
    fields = training.option_fields(st.session_state["train-model"])
    if fields:
        with st.expander("Architecture options"):
            _grid(fields)


def _others() -> None:
    """Draw a widget for each other setting, from the configuration class."""
    with st.expander("All other settings"):
        st.text_input("Title of the training run", key="train-title", max_chars=80)
        st.multiselect(
            "Faces whose maps are computed after each epoch", training.PINNED,
            format_func=training.pinned_title, max_selections=2, key="train-pinned",
        )  # fmt: skip
        _grid(training.fields())


def _grid(fields: tuple[Field, ...]) -> None:
    columns = st.columns(3)
    for i, field in enumerate(fields):
        with columns[i % 3]:
            phases_set_it = field.name == "learning_rate" and _in_phases()
            _widget(field, disabled=phases_set_it or not training.has_effect(field.name, entries.current()))


def _widget(field: Field, disabled: bool) -> None:
    key, shown = f"train-{field.name}", {"help": field.help or None, "disabled": disabled}
    if field.kind == "flag":
        st.checkbox(field.title, key=key, **shown)
    elif field.kind == "choice":
        index = None if field.optional else 0  # an optional one can be emptied again
        st.selectbox(field.title, field.choices, index, key=key, placeholder="not set", **shown)
    elif field.kind in ("text", "sizes"):
        st.text_input(field.title, key=key, **shown)
    else:
        _number(field, key, shown)


def _number(field: Field, key: str, shown: dict) -> None:
    whole, value = field.kind == "whole", st.session_state.get(key)
    as_number = int if whole else float
    bounds = {
        name: as_number(bound)
        for name, bound in (("min_value", field.low), ("max_value", field.high))
        if bound is not None
    }
    if value is not None:
        st.session_state[key] = as_number(value)
    small = 10.0 ** math.floor(math.log10(value)) if value else 0.1
    step = {"step": 1} if whole else {"step": small, "format": "%g"}
    st.number_input(field.title, key=key, placeholder="not set", **bounds, **step, **shown)
