"""The one description of a training: the command line, the saved run and the recipes are made from this class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..cards import first_reason, parse_json
from ..files import write_json
from ..paths import FER2013, RUNS

FILE = "config.json"
_LARGEST = 2**20  # bytes; one has two thousand


Number = Annotated[float, AllowInfNan(True)]
"""An architecture option may be any number here: `check_overrides` says which the network takes."""


class Phase(BaseModel):
    """One part of a progressive training; optimiser and schedule begin afresh with it."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(ge=1, le=100_000)
    """Passes over the training part."""
    learning_rate: float = Field(gt=0)
    """The highest rate of the schedule."""
    trained_stages: int | float | None = Field(default=None, ge=0)
    """How many of the deepest stages train beside the head; 0: the head alone; None: everything. A fraction, as in 1.5,
    is a share of the next stage's convolutions, the last ones."""


class TrainConfig(BaseModel):
    """Everything that decides what a training does. A recipe (`recipes.py`) is a set of values for these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = "residual_cnn"
    """Name of the network."""
    overrides: dict[str, bool | int | Number | str] = Field(default_factory=dict, max_length=20)
    """Architecture options, e.g. `--overrides backbone resnet18 fusion False`; `ferscope models NAME` lists those of a
    network. By default those of `start_from`."""
    recipe: str = "quick"
    """Name of the recipe that the values below start from."""
    data: Path = FER2013
    """The imported set (`ferscope data import`)."""
    split: str = "official"
    """Name of the split, or a file with its lists (`ferscope data splits`): what is trained, chosen and tested with.
    `subject-10fold-3` is one fold of a cross-validation by subjects, `subject-10fold` all ten, one after another, and
    `subject-loso` leaves out one subject at a time."""
    start_from: Path | None = None
    """A checkpoint's folder: begin with its weights, not with random ones."""
    allow_seen: bool = False
    """Train although `start_from` or `teacher` has seen images of the validation or test set; the card is then marked,
    and the network is left out of rankings, verdicts and ensembles."""
    pretrained: bool = False
    """Begin with ImageNet weights, where the network has any."""
    out: Path | None = None
    """Folder of the run; by default checkpoints/runs/<model>-<recipe>-<split>-s<seed>, and the set's name behind it
    where that is not fer2013."""
    seed: int = Field(default=0, ge=0, le=2**32)
    """Decides first weights, order, augmentation and dropout."""

    epochs: int = Field(default=26, ge=1, le=100_000)
    """Passes over the training part."""
    batch_size: int = Field(default=128, ge=2, le=100_000)
    """Pictures in one step, over all devices together."""
    input_size: int | None = Field(default=None, ge=8, le=512)
    """Side of the network's picture in pixels; by default that of its `ModelSpec`."""
    growing_sizes: tuple[int, ...] = Field(default=(), max_length=100)
    """Smaller sides to begin with: (32, 40) is a third of the epochs at 32, a third at 40, the rest at full size."""
    learning_rate: float = Field(default=0.1, gt=0)
    """The highest rate of the schedule."""
    trained_stages: int | float | None = Field(default=None, ge=0)
    """How many of the backbone's deepest stages train beside the head; 0: the head alone; None: everything. A fraction,
    as in 1.5, is a share of the next stage's convolutions, the last ones."""
    phases: tuple[Phase, ...] = Field(default=(), max_length=100)
    """Progressive training: parts with rates and frozen stages of their own, in place of the two fields above."""
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    """Stochastic gradient descent with momentum, or Adam; AdamW takes the decay off the weights directly."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of sgd; Adam's two averages keep their usual 0.9 and 0.999."""
    nesterov: bool = True
    """Nesterov's momentum for sgd, or plain momentum."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Share of each weight that is taken off, times the rate, at each step; L2 with sgd and adam."""
    schedule: Literal["one-cycle", "constant", "cosine", "step", "plateau"] = "one-cycle"
    """One-cycle: up for three tenths of the steps, then down to nearly nothing along a cosine. Cosine: down along it,
    after `warmup`. Step: times `decay_factor` every `decay_every` epochs. Plateau: times `decay_factor` once the
    validation loss has not fallen for more than `patience` epochs."""
    warmup: float = Field(default=0.0, ge=0)
    """Epochs in which the rate of cosine rises from nothing."""
    decay_every: int = Field(default=3, ge=1)
    """Epochs between two steps of the schedule step."""
    decay_factor: float = Field(default=0.1, gt=0, lt=1)
    """What step and plateau multiply the rate with."""
    patience: int = Field(default=5, ge=0)
    """Epochs that plateau waits for a lower validation loss."""
    early_stop: int | None = Field(default=None, ge=1)
    """Stop after this many epochs without a better validation accuracy; None: train all epochs."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Longest gradient of a step, over all weights together; a longer one is shortened to it. None: any length."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Share that a running mean of the weights keeps of itself at each step; it is what is measured and shipped."""
    mixup: float = Field(default=0.0, ge=0)
    """α of mixup: pictures and targets of a batch are blended in pairs, λ ~ Beta(α, α); 0 blends nothing."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target that is spread over all classes."""
    distillation: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is what a trained network answers to the picture; 0: the label is all."""
    teacher: Path | None = None
    """The checkpoint's folder of that network, which may be another architecture; by default `start_from`."""
    augmentation: str = "quick"
    """Name of the augmentation (`models/datasets/augment.py`)."""
    rare_augmentation: str | None = None
    """Name of another augmentation, which a picture gets the more often the rarer its class; None: no picture does."""
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    """Order of an epoch: each picture once, or each class equally often (`models/datasets/sampling.py`)."""
    class_weights: Literal["none", "inverse", "paper-c", "heavy"] = "none"
    """Weights of the classes in the training loss (`models/datasets/sampling.py`)."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; auto takes what is there."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """Of the arithmetic; auto times ten steps of each and takes the quicker."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """Processor threads; by default as many as torch takes."""

    minutes: float | None = Field(default=None, gt=0, le=1_000_000)
    """Stop after the last epoch that ends within this time; continue later with --resume."""
    resume: bool = False
    """Continue the run in the folder from its last epoch."""
    keep_epochs: bool = False
    """Keep the weights of every epoch, in half precision, in the run's folder epochs/."""
    tensorboard: bool = False
    """Write the curves for TensorBoard too, into the run's folder tensorboard/."""
    evaluate: bool = False
    """At the end measure the best epoch on validation and test part, single view, and fit its temperature."""

    @field_validator("growing_sizes")
    @classmethod
    def _sides_of_images(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 8 <= side <= 512 for side in sizes):
            raise ValueError("each size is a side of 8 to 512 pixels")
        return sizes

    @model_validator(mode="before")
    @classmethod
    def _epochs_of_the_phases(cls, values: Any) -> Any:
        """With phases, `epochs` is their sum, which need not be given."""
        if not isinstance(values, dict) or not values.get("phases"):
            return values
        try:
            together = sum(Phase.model_validate(phase).epochs for phase in values["phases"])
        except ValidationError:  # the field itself will say where
            return values
        if values.get("epochs", together) != together:
            raise ValueError(
                f"epochs={values['epochs']}, but the phases have {together} together: give --epochs {together}, "
                "or change those of a phase (--phases.0.epochs)"
            )
        return {**values, "epochs": together}

    @property
    def folder(self) -> Path:
        """Where the run is kept."""
        set_ = "" if self.data.stem == "fer2013" else f"-{self.data.stem}"
        return self.out or RUNS / f"{self.model}-{self.recipe}-{Path(self.split).stem}-s{self.seed}{set_}"

    @property
    def plan(self) -> tuple[Phase, ...]:
        """The phases; without any, one that is the whole training."""
        whole = Phase(epochs=self.epochs, learning_rate=self.learning_rate, trained_stages=self.trained_stages)
        return self.phases or (whole,)

    def curve(self) -> dict:
        """The fields that decide the curve: a resumed run must agree in all of them."""
        return self.model_dump(mode="json", exclude=_NOT_THE_CURVE)


def read_config(folder: Path) -> TrainConfig:
    """The configuration in a run's folder; raises ValueError, in one sentence, for one that is missing or damaged.

    What `start_from`, `teacher` and `data` name need not be there any more.
    """
    path = folder / FILE
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST >> 20} MB")
        return parse_config(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error}).") from error
    except ValueError as error:
        raise ValueError(f"{path} is damaged, or of another version of FERScope ({error}).") from error


def parse_config(data: bytes) -> TrainConfig:
    """The configuration in the bytes of a `config.json`; raises ValueError, in a few words, where they are none."""
    try:
        values = parse_json(data)
        config = TrainConfig.model_validate(values)
    except ValidationError as error:
        raise ValueError(first_reason(error)) from error
    understood = config.model_dump(mode="json")
    if other := [name for name, value in values.items() if understood[name] != value]:  # strict: "7" is no number
        raise ValueError(f"{other[0]}: {values[other[0]]!r} is not as it would be written")
    return config


def write_config(folder: Path, config: TrainConfig) -> None:
    """Write a run's `config.json`, checked again: copies with other values are not checked when they are made."""
    write_json(folder / FILE, TrainConfig.model_validate(config.model_dump()).model_dump(mode="json"))


_NOT_THE_CURVE = {
    *("out", "data", "device", "precision", "threads"),
    *("minutes", "resume", "keep_epochs", "tensorboard", "evaluate", "allow_seen"),
}
