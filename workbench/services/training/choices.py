"""The entries of the Train form: read from the configuration that would run, and turned back into a plan.

Every entry is a plain value by its name, so that what the form shows can be compared with what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from models import get_spec
from models.checkpoints import CheckpointError, read_card
from models.options import Option
from models.registry import changed
from models.text import counted
from models.training.config import ONLY_WITH, Phase, TrainConfig

from .. import networks
from ..dataset import exclusions
from . import form, sources
from .form import Field, Kind
from .presets import IMAGENET, NOTHING, PRESETS, Plan, resolved

Entries = dict[str, Any]
"""Entries by name: fields of `TrainConfig`; `title`, `set`, `pinned`; `option-NAME`; `trained_stages` as a name of
`parts`."""

NO_LIST = "None"
"""The choice of exclusion list that leaves out nothing."""

_OWN_WORDS = ("model", "split", "epochs", "minutes", "class_weights", "seed")


# ---- words


@dataclass(frozen=True)
class Summary:
    """What a configuration trains, in words.

    Attributes:
        initial_weights: "Random", "ImageNet" or the name of a checkpoint.
        trainable: the layers that train, in each phase one after another.
        phases: the same with epochs and learning rate.
        options: architecture options that are not the network's defaults, e.g. "width=64".
    """

    initial_weights: str
    trainable: tuple[str, ...]
    phases: tuple[str, ...]
    options: str


def summary(config: TrainConfig) -> Summary:
    """What a configuration trains, in words."""
    trainable = tuple(part_name(phase.trained_stages) for phase in config.plan)
    return Summary(
        initial_weights=start_name(start_of(config)),
        trainable=trainable,
        phases=tuple(map(phase_name, config.plan)),
        options=", ".join(f"{name}={value}" for name, value in changed(config.model, config.overrides).items()),
    )


def start_of(config: TrainConfig) -> str:
    """What a configuration starts from: `NOTHING`, `IMAGENET` or the name of a checkpoint."""
    if config.start_from is not None:
        return config.start_from.name
    return IMAGENET if config.pretrained else NOTHING


def start_name(start: str) -> str:
    """The words for initial weights."""
    if start in (NOTHING, IMAGENET):
        return start
    with suppress(ValueError):
        return f"Checkpoint {networks.get_spec(start).title}"
    return f"Checkpoint {start}"  # it is gone


def part_name(stages: float | None) -> str:
    """The words for the layers that train: the head with so many of the deepest stages, see `TrainConfig`."""
    if stages is None:
        return "Whole network"
    whole, share = int(stages), round(stages % 1, 4)
    pieces = ["Head"]
    if whole:
        pieces.append("deepest stage" if whole == 1 else f"{whole} deepest stages")
    if share:
        pieces.append(f"{100 * share:g} % of the {'next' if whole else 'deepest'} stage")
    return "Head only" if len(pieces) == 1 else f"{', '.join(pieces[:-1])} and {pieces[-1]}"


def phase_name(phase: Phase) -> str:
    """The words for a phase."""
    return f"{part_name(phase.trained_stages)}, {counted(phase.epochs, 'epoch')}, learning rate {phase.learning_rate:g}"


# ---- what may be chosen


def starts(network: str) -> tuple[str, ...]:
    """Initial weights that a network may have; ImageNet where there are such weights of it."""
    imagenet = (IMAGENET,) if get_spec(network).imagenet else ()
    return (NOTHING, *imagenet, *sources.starting_points(network))


def exclusion_lists() -> tuple[str, ...]:
    """The exclusion lists that a training run may have, by name; `NO_LIST` first."""
    return (NO_LIST, *exclusions.names())


def parts(network: str, phases: tuple = ()) -> tuple[str, ...]:
    """Names of what of a network may train; the phases first, where there are any."""
    return (*_in_phases(phases), *_stages_by_name(network))


def option_fields(network: str) -> tuple[Field, ...]:
    """The architecture options of a network, as fields of a form; `name` is that of the entry."""
    return tuple(_option_field(option) for option in get_spec(network).options)


def _option_field(option: Option) -> Field:
    kinds: dict[Any, Kind] = {bool: "flag", int: "whole", float: "number", str: "text"}
    kind = "choice" if option.choices else kinds[option.type]
    low, high = option.bounds or (None, None)
    title = option.name.replace("_", " ").capitalize()
    return Field(f"option-{option.name}", kind, option.help, option.choices, low=low, high=high, words=title)


def _in_phases(phases: tuple) -> tuple[str, ...]:
    return (f"In {len(phases)} phases",) if phases else ()


def _stages_by_name(network: str) -> dict[str, int | None]:
    return {part_name(stages): stages for stages in (None, *range(len(get_spec(network).stages)))}


# ---- from a plan to entries, and back


def entries_of(plan: Plan) -> Entries:
    """What the form shows for a plan: the values of the configuration that it would run."""
    config = resolved(plan)
    values = config.model_dump()
    if config.phases:  # their rates replace this one; without phases, the highest is used
        values["learning_rate"] = max(phase.learning_rate for phase in config.phases)
    entries = {name: values[name] for name in (*_OWN_WORDS, "recipe", "phases", *(f.name for f in form.fields()))}
    for field in form.fields():
        if field.kind == "sizes":
            entries[field.name] = ", ".join(map(str, values[field.name]))
    part = next(iter((*_in_phases(config.phases), part_name(config.trained_stages))))
    entries |= {"title": plan.title, "set": plan.set, "start_from": plan.start, "pinned": list(plan.pinned)}
    entries["exclude"] = config.exclude.stem if config.exclude else NO_LIST
    options = {option.name: option.default for option in get_spec(config.model).options}
    given = plan.values.get("overrides", _overrides_of_start(plan.start))
    return entries | {"trained_stages": part} | {f"option-{k}": v for k, v in (options | given).items()}


def has_effect(name: str, entries: Mapping[str, Any]) -> bool:
    """Whether a setting changes anything beside the other entries; one that is not off counts, as it may be refused."""
    if name in ("distillation", "allow_seen"):
        return bool(entries[name]) or entries["start_from"] not in (NOTHING, IMAGENET)
    if name == "masked_epochs":
        return bool(entries[name]) or entries["model"] == "vit_tiny"
    other, values = ONLY_WITH.get(name, ("phases", ()))
    return other == "phases" or entries[other] in values  # the form says by itself what phases replace


def plan_of(entries: Mapping[str, Any]) -> Plan:
    """The plan that the form shows: every entry is given, so that nothing is left to the recipe unseen.

    Raises:
        JobError: an entry cannot be read.
    """
    values = {name: entries[name] for name in _OWN_WORDS}
    for field in form.fields():
        value = entries[field.name]
        values[field.name] = form.sizes(value) if field.kind == "sizes" else value
    part, phases = entries["trained_stages"], tuple(entries["phases"])
    if part in _in_phases(phases):
        values |= {"phases": phases, "trained_stages": None, "epochs": sum(phase["epochs"] for phase in phases)}
        del values["learning_rate"]
    else:
        values["trained_stages"] = _stages_by_name(entries["model"])[part]  # replaces the phases, see `from_recipe`
    start, pinned = entries["start_from"], tuple(entries["pinned"]) or Plan().pinned
    values["overrides"] = overrides_of(entries)
    if entries["exclude"] != NO_LIST:
        values["exclude"] = exclusions.path_of(entries["exclude"])
    return Plan(entries["title"], entries["recipe"], entries["set"], start, values, pinned)


def overrides_of(entries: Mapping[str, Any]) -> dict[str, Any]:
    """The architecture options that are not what the network has by default, or that its checkpoint was built with."""
    known = {option.name: entries[f"option-{option.name}"] for option in get_spec(entries["model"]).options}
    built = _overrides_of_start(entries["start_from"])
    return {name: value for name, value in known.items() if name in built or changed(entries["model"], {name: value})}


def _overrides_of_start(start: str) -> dict[str, Any]:
    if start in (NOTHING, IMAGENET):
        return {}
    try:
        return dict(read_card(networks.folder_of(start)).overrides)
    except CheckpointError:  # said where it is loaded
        return {}


# ---- one entry was changed


def with_recipe(entries: Mapping[str, Any]) -> Entries:
    """All entries after another recipe was chosen: its values, but for network, dataset, seed and architecture.

    A checkpoint stays the start, unless the recipe starts from ImageNet weights.
    """
    plan = _of_recipe(entries)
    if plan.start == NOTHING and entries["start_from"] != IMAGENET:
        plan = Plan(plan.title, plan.recipe, plan.set, entries["start_from"], plan.values, plan.pinned)
    held = {"seed": entries["seed"], "overrides": overrides_of(entries)}
    if entries["exclude"] != NO_LIST:
        held["exclude"] = exclusions.path_of(entries["exclude"])
    return entries_of(
        Plan(_own_title(entries), plan.recipe, plan.set, plan.start, {**plan.values, **held}, plan.pinned)
    )


def refitted(entries: Mapping[str, Any], network: str, dataset: str) -> Entries:
    """The entries that change with network or dataset, which were `network` and `dataset` before.

    Those are what the recipe has otherwise for them, and what cannot stay; anything else stays as it was entered.
    """
    before = entries_of(_of_recipe({**entries, "model": network, "set": dataset}))
    after = entries_of(_of_recipe(entries))
    new = {name: value for name, value in after.items() if name not in before or before[name] != value}
    new["title"] = _own_title(entries)
    if entries["start_from"] not in starts(entries["model"]):
        new["start_from"] = after["start_from"]
    if entries["split"] not in sources.split_names(entries["set"]):
        new["split"] = after["split"]
    if entries["trained_stages"] not in parts(entries["model"], new.get("phases", entries["phases"])):
        new["trained_stages"] = after["trained_stages"]
    return new


def _own_title(entries: Mapping[str, Any]) -> str:
    """The title of the job, but not that of a preset, which no longer says what is trained."""
    return "" if any(preset.named(entries["title"]) for preset in PRESETS) else entries["title"]


def with_start(entries: Mapping[str, Any]) -> Entries:
    """The entries that change with the initial weights: a checkpoint brings the architecture that it was built with."""
    built = _overrides_of_start(entries["start_from"])
    options = {option.name: option.default for option in get_spec(entries["model"]).options}
    return {f"option-{name}": value for name, value in (options | built).items()} if built else {}


def _of_recipe(entries: Mapping[str, Any]) -> Plan:
    """A recipe as it is, for a network and a dataset; ImageNet weights where it has them and there are any."""
    network, recipe, dataset = entries["model"], entries["recipe"], entries["set"]
    own = form.configure(recipe, model=network, data=sources.path_of(dataset))
    split = own.split if own.split in sources.split_names(dataset) else sources.split_names(dataset)[0]
    start = IMAGENET if own.pretrained and get_spec(network).imagenet else NOTHING
    return Plan(entries["title"], recipe, dataset, start, {"model": network, "split": split}, tuple(entries["pinned"]))
