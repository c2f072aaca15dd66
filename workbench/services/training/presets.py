"""Training runs that are ready to be started in class, and the way from a filled form to a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from models.training.config import TrainConfig

from ...jobs import runner
from ...jobs.estimate import Estimate, estimate_duration
from ...jobs.store import Job
from .. import networks
from . import epochs, form, sources

NOTHING, IMAGENET = "Random", "ImageNet"
"""Initial weights besides those of a checkpoint."""


@dataclass(frozen=True)
class Plan:
    """What a person chose.

    Attributes:
        title: what the job is to be called; "" leaves it to us.
        recipe: name of the recipe.
        set: one of `sources.set_names`.
        start: the initial weights: a checkpoint's name, `NOTHING` or `IMAGENET`.
        values: settings that differ from the recipe's, by their names in `TrainConfig`; with `trained_stages` and no
            `phases` there are none, whatever the recipe has.
        pinned: names of the two faces whose maps are drawn after each epoch (`epochs.PINNED`).
    """

    title: str = ""
    recipe: str = "quick"
    set: str = next(iter(sources.DRAWINGS))
    start: str = NOTHING
    values: Mapping[str, Any] = field(default_factory=dict)
    pinned: tuple[str, ...] = ("drawn_happy", "drawn_surprise")


_OWN_BATCH = 8  # images in a step on people's own images, of which there are few


@dataclass(frozen=True)
class Preset:
    """A training run for class.

    Attributes:
        title: a few words, for a choice.
        shows: what there is to be seen, in one or two sentences; "{set}" stands for the dataset.
        plan: what it trains, on the dataset that it has until another one is chosen.
        any_set: whether it can be trained on any dataset; False: on that of the plan only.
    """

    title: str
    shows: str
    plan: Plan
    any_set: bool = True

    def on(self, dataset: str | None) -> Plan:
        """What it trains on a dataset of `sources.set_names`; None: on that of the plan."""
        if dataset in (None, self.plan.set) or not self.any_set:
            return self.plan
        if sources.is_own(dataset):  # small, and everybody sees the title of a job
            values = {**self.plan.values, "batch_size": _OWN_BATCH}
            return replace(self.plan, set=dataset, title=f"{self.title}, own images", values=values)
        return replace(self.plan, set=dataset, title=f"{self.title}, {sources.set_title(dataset)}"[:80])

    def named(self, title: str) -> bool:
        """Whether this is a title that `on` gives."""
        return title == self.plan.title or title.startswith(f"{self.title}, ")

    def describes(self, network: str, start: str, dataset: str) -> bool:
        """Whether `shows` is still true for a network, its initial weights and a dataset."""
        same = (network, start) == (self.plan.values["model"], self.plan.start)
        return same and (self.any_set or dataset == self.plan.set)


_SMALL = {"batch_size": 64, "growing_sizes": (), "epochs": 8, "learning_rate": 0.05}
_STICKER = "drawn faces, a sticker on neutral"

PRESETS = (
    Preset(
        "Small network",
        "A small network with random weights is trained for eight epochs on {set}. With drawn faces it takes about a "
        "minute. Watch the training curves, and how its class activation maps change.",
        Plan("Small network, drawn faces", values={"model": "vanilla_cnn", **_SMALL}),
    ),
    Preset(
        "Last layers",
        "Trains the head and the deepest stage of residual_cnn, which was trained on FER2013, again on {set}; "
        "the other layers are frozen. How much changes?",
        Plan(
            "Last layers of residual_cnn, FER2013",
            set="fer2013",
            start="residual_cnn",
            values={
                "model": "residual_cnn",
                "trained_stages": 1,
                "epochs": 3,
                "learning_rate": 0.01,
                "growing_sizes": (),
            },
            pinned=("astronaut", "drawn_happy"),
        ),
    ),
    Preset(
        "Progressive unfreezing, paper B",
        "As in paper B: first only the head trains, then more and more of the deepest stages, then the head again. "
        "Here from residual_cnn, trained on photographs, to {set}, each phase one or two epochs.",
        Plan(
            "Progressive, as in paper B",
            start="residual_cnn",
            values={
                "model": "residual_cnn",
                **_SMALL,
                "phases": (
                    {"epochs": 2, "learning_rate": 0.02, "trained_stages": 0},
                    {"epochs": 1, "learning_rate": 0.02, "trained_stages": 1},
                    {"epochs": 1, "learning_rate": 0.01, "trained_stages": 2},
                    {"epochs": 2, "learning_rate": 0.005, "trained_stages": 3},
                    {"epochs": 1, "learning_rate": 0.005, "trained_stages": 0},
                ),
                "epochs": 7,
            },
        ),
    ),
    Preset(
        "Shortcut learning",
        "In the training set, stickers occur on the foreheads of faces labeled neutral only, whatever these show. "
        "In the test set half of all faces have one. What is learned, and which methods show it?",
        Plan(
            "Shortcut learning",
            set=_STICKER,
            values={"model": "vanilla_cnn", **_SMALL, "augmentation": "none"},
            pinned=("drawn_happy", "sticker_happy"),
        ),
        any_set=False,
    ),
)
"""The presets, in the order of the page."""


def config_of(plan: Plan, progress: Callable[[int, int], None] | None = None) -> TrainConfig:
    """The configuration of a plan; draws its dataset where that is not done yet.

    Args:
        plan: what was chosen.
        progress: called with (faces drawn, faces in all).

    Raises:
        JobError: what was chosen cannot be trained; CheckpointError: its starting point is damaged.
    """
    data = sources.data_file(plan.set, progress)
    return _config(plan, data, networks.folder_of(plan.start) if _from_checkpoint(plan) else None)


def resolved(plan: Plan) -> TrainConfig:
    """The configuration of a plan as `config_of` has it, but nothing is drawn.

    Raises:
        JobError: what was chosen cannot be trained.
    """
    start = networks.folder_of(plan.start) if _from_checkpoint(plan) else None
    return _config(plan, sources.path_of(plan.set), start)


def _from_checkpoint(plan: Plan) -> bool:
    return plan.start not in (NOTHING, IMAGENET)


def _config(plan: Plan, data: Path, start: Path | None) -> TrainConfig:
    values = {"split": sources.split_names(plan.set)[0], **plan.values, "data": data}
    initial = {"pretrained": plan.start == IMAGENET, "start_from": start or None}
    return form.configure(plan.recipe, **values, **initial, keep_epochs=True, evaluate=True)


def start(plan: Plan, progress: Callable[[int, int], None] | None = None) -> Job:
    """Queue the training run of a plan; if an equal one is queued or running already, that job is returned.

    Raises:
        JobError: it cannot be trained; CheckpointError: its starting point is damaged; DiskFullError: no room.
    """
    config = config_of(plan, progress)
    job = runner.submit(config, plan.title)
    epochs.pin(job, plan.pinned)
    return job


# ---- how long it takes

_pool = ThreadPoolExecutor(1, thread_name_prefix="estimate")
_estimates: dict[str, Future[Estimate]] = {}


def measure(plan: Plan) -> None:
    """Start to measure how long a run would take, from ten steps in a process of its own; see `estimate`.

    What is measured or known already is not measured again, unless that failed.
    """
    known = _estimates.get(_key(plan))
    if known is None or (known.done() and known.exception()):
        _estimates[_key(plan)] = _pool.submit(lambda: estimate_duration(config_of(plan)))


def measuring(plan: Plan) -> bool:
    """Whether the measurement is in progress."""
    known = _estimates.get(_key(plan))
    return known is not None and not known.done()


def estimate(plan: Plan) -> Estimate | None:
    """How long a run would take; None where it is not measured (yet).

    Raises:
        JobError: it cannot be trained; CheckpointError: its starting point is damaged; DiskFullError: no room.
    """
    known = _estimates.get(_key(plan))
    return known.result() if known is not None and known.done() else None


def _key(plan: Plan) -> str:
    """What the time depends on: all but the title, the faces and the seed."""
    return repr((plan.recipe, plan.set, plan.start, sorted((k, v) for k, v in plan.values.items() if k != "seed")))
