"""The form of a training: a preset, what is asked up front, and every other setting as the class has it."""

from __future__ import annotations

import math

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from models.files import DiskFullError
from workbench import services
from workbench.jobs.limits import LIMITS
from workbench.jobs.runner import Estimate
from workbench.jobs.store import JobError
from workbench.services import trainings
from workbench.services.trainings import IMAGENET, NOTHING, PRESETS, Field, Plan

from .. import screen
from . import live

_TITLES = {preset.title: preset for preset in PRESETS}
_ALL, _HEAD = "the whole network", "the head alone"


@screen.fragment
def show() -> None:
    """Choose, see how long it takes, start: then the page is the job's."""
    _begin()
    preset = _TITLES[
        st.segmented_control(
            "Training", _TITLES, required=True, wrap=True, key="train-preset", on_change=_take_preset
        )
    ]  # fmt: skip
    st.markdown(preset.shows)
    if preset.missing:
        st.info(preset.missing)
    _up_front()
    missing = st.session_state["train-set"] not in trainings.set_names()
    with st.container(horizontal=True, vertical_alignment="center"):
        start = st.button("Start the training", type="primary", key="train-start", disabled=missing)
        ask = st.button("How long will it take?", key="train-estimate", disabled=missing)
        told = st.empty()
    _others()
    if missing:
        return
    try:
        plan = _plan()
        if start:
            _start(plan, told)
        if ask:
            trainings.measure(plan)
    except (JobError, DiskFullError, ValueError) as error:
        st.error(str(error))
        return
    with told.container():
        screen.fragment(_time, run_every=1.0 if trainings.measuring(plan) else None)(plan, trainings.measuring(plan))


def _time(plan: Plan, before: bool) -> None:
    """How long it will take: not known, being measured, or known."""
    measuring = trainings.measuring(plan)
    if before and not measuring:
        st.rerun()  # to rest again
    try:
        found = trainings.estimate(plan)
    except (JobError, DiskFullError, ValueError) as error:
        st.markdown(f"**It cannot be trained so:** {error}")
        return
    if measuring:
        st.markdown("Measuring ten steps, in a process of its own. You need not wait for it.")
    else:
        st.markdown(_told(found) if found else "The time on this computer is told from ten steps.")


def _start(plan: Plan, place: DeltaGenerator) -> None:
    def drawing(done: int, total: int) -> None:
        if done % 10 == 0 or done == total:
            place.progress(done / total, text=f"Drawing the faces, this once: {done} of {total}")

    job = trainings.start(plan, drawing)
    live.watch(job.id)
    st.rerun()


def _told(found: Estimate) -> str:
    return (
        f"**About {trainings.duration(found.total_seconds)}** for {found.epochs} epochs on this computer "
        f"({found.device}), {trainings.duration(found.seconds_per_epoch)} each."
    )


# ---------------------------------------------------------------------------------------------------------------------
# What the widgets hold: everything under "train-NAME" in the session


def offer(plan: Plan) -> None:
    """Fill the form with a plan at the next run."""
    st.session_state["train-wanted"] = plan


def _begin() -> None:
    """Values of the widgets before the first of them stands, and what was asked for from elsewhere."""
    if "train-preset" not in st.session_state:
        st.session_state["train-preset"] = PRESETS[0].title
    if "train-model" not in st.session_state:
        _take(st.session_state.pop("train-wanted", None) or _TITLES[st.session_state["train-preset"]].plan)
    elif wanted := st.session_state.pop("train-wanted", None):
        _take(wanted)


def _take_preset() -> None:
    _take(_TITLES[st.session_state["train-preset"]].plan)


def _take(plan: Plan) -> None:
    values = {**trainings.values_of(plan.recipe), **plan.values}
    for name, value in values.items():
        st.session_state[f"train-{name}"] = value
    st.session_state["train-trained_stages"] = _part_name(values["trained_stages"])
    st.session_state.update({
        "train-title": plan.title, "train-recipe": plan.recipe, "train-set": plan.set, "train-start_from": plan.start,
        "train-pinned": list(plan.pinned), "train-phases": values["phases"],
    })  # fmt: skip
    for field in trainings.fields():
        if field.kind == "sizes":
            st.session_state[f"train-{field.name}"] = ", ".join(map(str, values[field.name]))


def _take_recipe() -> None:
    """A recipe's values in the place of what stood there; network, set and starting point stay."""
    held = {key: st.session_state[f"train-{key}"] for key in ("model", "title", "set", "start_from", "pinned", "seed")}
    values = {"model": held["model"], "seed": held["seed"]}
    _take(
        Plan(held["title"], st.session_state["train-recipe"], held["set"], held["start_from"], values, held["pinned"])
    )


def _keep(name: str, options: tuple[str, ...]) -> tuple[str, ...]:
    """The options of a select box, after a value that is none of them has given way to the first."""
    if st.session_state.get(f"train-{name}") not in options:
        st.session_state[f"train-{name}"] = options[0]
    return options


# ---------------------------------------------------------------------------------------------------------------------
# Widgets


def _up_front() -> None:
    """Three rows, so that on a phone they stand below each other in this order."""
    held, phases = st.session_state, st.session_state["train-phases"]
    networks = trainings.trainable_networks()
    network, start, set_ = st.columns(3)
    network.selectbox("Network", networks, format_func=lambda name: services.get_spec(name).title, key="train-model")
    begin = (NOTHING, IMAGENET) if services.get_spec(held["train-model"]).imagenet else (NOTHING,)
    points = _keep("start_from", (*begin, *trainings.starting_points(held["train-model"])))
    start.selectbox("It begins with", points, format_func=_point, key="train-start_from")
    sets = tuple(dict.fromkeys((*trainings.set_names(), held["train-set"])))  # also one that is not imported here
    set_.selectbox("It learns from", sets, format_func=_set, key="train-set")
    split, recipe, part = st.columns(3)
    splits = _keep("split", trainings.split_names(held["train-set"]))
    split.selectbox("Split", splits, key="train-split", help=_SPLIT)
    recipe.selectbox("Recipe", trainings.recipes(), key="train-recipe", on_change=_take_recipe, help=_RECIPE)
    parts = _keep("trained_stages", _parts(held["train-model"]))
    part.selectbox("What learns", parts, key="train-trained_stages", disabled=bool(phases))
    own = services.get_spec(held["train-model"]).recipe
    if own not in (held["train-recipe"], "quick"):
        st.caption(f"The usual recipe for this network is `{own}`.")
    epochs, minutes, weights, seed = st.columns(4)
    epochs.number_input("Epochs", 1, LIMITS.epochs, key="train-epochs", disabled=bool(phases))
    minutes.number_input(
        "At most minutes", 0.1, LIMITS.minutes, key="train-minutes", placeholder="no limit", format="%g"
    )
    weights.selectbox("Class weights", trainings.choices_of("class_weights"), key="train-class_weights")
    seed.number_input("Seed", 0, 2**31 - 1, key="train-seed", help="Another seed is another training.")
    if phases:
        st.caption("Phases, one after another: " + "; ".join(map(_phase, phases)) + ".")


_SPLIT = "Which pictures it learns from, which choose the epoch, and which test; official: as the set itself says."
_RECIPE = "Values for every setting, as a paper had them; what you change afterwards stands."


def _phase(phase: dict) -> str:
    what = _part_name(phase["trained_stages"])
    return f"{phase['epochs']} × {what}, rate {phase['learning_rate']:g}"


def _point(name: str) -> str:
    if name in (NOTHING, IMAGENET):
        return name
    return f"its own checkpoint ({name})" if name in trainings.trainable_networks() else services.get_spec(name).title


def _set(name: str) -> str:
    own = next((s for s in trainings.own_sets() if s.id == name), None)
    return own.title if own else name


def _parts(network: str) -> tuple[str, ...]:
    stages = services.get_spec(network).stages
    return (_ALL, _HEAD, *(_part_name(n) for n in range(1, len(stages))))


def _part_name(stages: int | None) -> str:
    if stages is None or isinstance(stages, str):
        return stages or _ALL
    return _HEAD if stages == 0 else f"the head and the {stages} deepest stage{'s' * (stages > 1)}"


def _others() -> None:
    """Every other setting, a widget each, as the class says."""
    with st.expander("Every other setting"):
        st.text_input("Title of the job", key="train-title", max_chars=80)
        st.multiselect(
            "Faces whose maps are drawn after each epoch: samples and drawn ones", trainings.PINNED,
            format_func=trainings.pinned_title, max_selections=2, key="train-pinned",
        )  # fmt: skip
        columns = st.columns(3)
        for i, field in enumerate(trainings.fields()):
            with columns[i % 3]:
                _widget(field)


def _widget(field: Field) -> None:
    key, shown = f"train-{field.name}", {"help": field.help or None}
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


# ---------------------------------------------------------------------------------------------------------------------
# From the widgets to a plan


def _plan() -> Plan:
    """What the form says; raises JobError where an entry cannot be."""
    held, recipe = st.session_state, st.session_state["train-recipe"]
    before, values = trainings.values_of(recipe), {}
    asked = [*((f.name, f.kind) for f in trainings.fields()), *_ASKED]
    for name, kind in asked:
        value = held.get(f"train-{name}", before.get(name))
        if kind == "sizes":
            value = trainings.sizes(value) if isinstance(value, str) else value
        if name in before and (kind == "always" or value != before[name]):
            values[name] = value
    at = _parts(held["train-model"]).index(held["train-trained_stages"])
    values["trained_stages"] = None if at == 0 else at - 1
    if before["phases"] != held["train-phases"]:
        values["phases"] = held["train-phases"]
    pinned = tuple(held.get("train-pinned", ())) or PRESETS[0].plan.pinned
    return Plan(held.get("train-title", ""), recipe, held["train-set"], held["train-start_from"], values, pinned)


_ASKED = (
    ("model", "always"),
    ("split", "always"),
    ("class_weights", ""),
    ("epochs", ""),
    ("minutes", ""),
    ("seed", ""),
)
