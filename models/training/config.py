"""`TrainConfig`: all settings of a training run, shared by the command line, the saved run and the recipes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AllowInfNan, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ..files import write_json
from ..json_input import first_reason, parse_json
from ..paths import FER2013, RUNS

FILE = "config.json"
_LARGEST = 2**20  # bytes; one has two thousand


Number = Annotated[float, AllowInfNan(True)]
"""An architecture option may be any number here: `check_overrides` says which the network takes."""


class Phase(BaseModel):
    """One phase of progressive training, with a new optimizer and schedule."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    epochs: int = Field(ge=1, le=100_000)
    """Passes over the training set."""
    learning_rate: float = Field(gt=0)
    """Maximum learning rate of the schedule."""
    trained_stages: int | float | None = Field(default=None, ge=0)
    """Number of the deepest stages that train beside the head; 0: only the head; None: all. The fraction in 1.5 adds
    the last half of the next stage's convolutions."""


class TrainConfig(BaseModel):
    """Settings of a training run. A recipe (`recipes.py`) is a set of values for these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = "residual_cnn"
    """Name of the network."""
    overrides: dict[str, bool | int | Number | str] = Field(default_factory=dict, max_length=20)
    """Architecture options, e.g. `--overrides backbone resnet18 fusion False`; `ferscope models NAME` lists those of a
    network. By default those of `start_from`."""
    recipe: str = "quick"
    """Name of the recipe that gives the defaults of the values below."""
    data: Path = FER2013
    """The imported dataset (`ferscope data import`)."""
    split: str = "official"
    """Name of the split, or a file that lists it (`ferscope data splits`): training, validation and test set.
    `subject-10fold-3` is one fold of a cross-validation by subjects, `subject-10fold` all ten, one after another, and
    `subject-loso` leaves out one subject at a time."""
    exclude: Path | None = None
    """An exclusion list (JSON, `ferscope data audit --exclusions FILE`): training images to leave out, such as those
    with wrong labels; the card records it. Validation and test set stay whole."""
    start_from: Path | None = None
    """Folder of a checkpoint whose weights are the initial ones."""
    allow_seen: bool = False
    """Train although `start_from` or `teacher` has seen images of the validation or test set; the card is then marked,
    and the network is left out of rankings, verdicts and ensembles."""
    pretrained: bool = False
    """Start from ImageNet weights, where the network has any."""
    masked_epochs: int = Field(default=0, ge=0, le=100_000)
    """Epochs of masked-image pretraining on the training images, without labels, before the first epoch; for vision
    transformers."""
    out: Path | None = None
    """Folder of the run; by default checkpoints/runs/<model>-<recipe>-<split>-s<seed>, followed by the dataset's name
    if that is not fer2013."""
    seed: int = Field(default=0, ge=0, le=2**32)
    """Random seed of initial weights, order of images, augmentation and dropout."""

    epochs: int = Field(default=26, ge=1, le=100_000)
    """Passes over the training set."""
    batch_size: int = Field(default=128, ge=2, le=100_000)
    """Images in one step, over all devices together."""
    input_size: int | None = Field(default=None, ge=8, le=512)
    """Side of the network's input in pixels; by default the network's own."""
    growing_sizes: tuple[int, ...] = Field(default=(), max_length=100)
    """Progressive resizing: with (32, 40), a third of the epochs at 32 px, a third at 40, the rest at full size."""
    learning_rate: float = Field(default=0.1, gt=0)
    """Maximum learning rate of the schedule."""
    trained_stages: int | float | None = Field(default=None, ge=0)
    """Number of the deepest stages that train beside the head; 0: only the head; None: all. The fraction in 1.5 adds
    the last half of the next stage's convolutions."""
    phases: tuple[Phase, ...] = Field(default=(), max_length=100)
    """Progressive training: phases with their own learning rates and frozen stages, instead of the two fields above."""
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    """Stochastic gradient descent with momentum, Adam, or AdamW (decoupled weight decay)."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of sgd; Adam keeps its default betas of 0.9 and 0.999."""
    nesterov: bool = True
    """Nesterov momentum for sgd."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Weight decay; an L2 penalty with sgd and adam."""
    schedule: Literal["one-cycle", "constant", "cosine", "step", "plateau"] = "one-cycle"
    """Learning rate schedule. One-cycle: rises for 30 % of the steps, then falls to almost zero along a cosine. Cosine:
    falls along a cosine after `warmup`. Step: times `decay_factor` every `decay_every` epochs. Plateau: times
    `decay_factor` once the validation loss has not improved for more than `patience` epochs."""
    warmup: float = Field(default=0.0, ge=0)
    """Epochs of linear warm-up before the cosine schedule."""
    decay_every: int = Field(default=3, ge=1)
    """Epochs between two decays of the step schedule."""
    decay_factor: float = Field(default=0.1, gt=0, lt=1)
    """Factor of the step and plateau schedules."""
    patience: int = Field(default=5, ge=0)
    """Epochs without a lower validation loss before the plateau schedule decays."""
    early_stop: int | None = Field(default=None, ge=1)
    """Early stopping: epochs without a better validation accuracy before training stops; None: off."""
    clip_norm: float | None = Field(default=None, gt=0)
    """Maximum global gradient norm; None: no clipping."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, evaluated and saved instead of them; None: off."""
    mixup: float = Field(default=0.0, ge=0)
    """α of mixup: pairs of images and their targets are blended with λ ~ Beta(α, α); 0: off."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target that is distributed over all classes."""
    distillation: float = Field(default=0.0, ge=0, lt=1)
    """Knowledge distillation: share of the teacher's predicted probabilities in the target; 0: off."""
    teacher: Path | None = None
    """Folder of the teacher's checkpoint, which may be another architecture; by default `start_from`. If its classes
    differ from the dataset's, it is used for the shared ones."""
    augmentation: str = "quick"
    """Name of the augmentation (`models/datasets/augment.py`)."""
    rare_augmentation: str | None = None
    """Name of a stronger augmentation that images of rare classes get more often; None: off."""
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    """Sampling in an epoch: each image once, or each class equally often (`models/datasets/sampling.py`)."""
    class_weights: Literal["none", "inverse", "paper-c", "heavy"] = "none"
    """Weights of the classes in the training loss (`models/datasets/sampling.py`)."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to train; auto takes a GPU if there is one."""
    precision: Literal["auto", "32-true", "bf16-mixed"] = "auto"
    """Floating-point precision; auto times ten steps of each and takes the faster one."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """CPU threads; by default torch's number."""

    minutes: float | None = Field(default=None, gt=0, le=1_000_000)
    """Time limit: stop after the last epoch that ends within it; --resume continues."""
    resume: bool = False
    """Resume the run in the folder after its last complete epoch."""
    keep_epochs: bool = False
    """Save the weights of every epoch, in half precision, in the run's folder epochs/."""
    tensorboard: bool = False
    """Also write the curves for TensorBoard, in the run's folder tensorboard/."""
    evaluate: bool = False
    """Evaluate the best epoch on validation and test set at the end, single view, and fit its temperature."""

    @field_validator("growing_sizes")
    @classmethod
    def _sides_of_images(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if any(not 8 <= side <= 512 for side in sizes):
            raise ValueError("each size is a side of 8 to 512 pixels")
        return sizes

    @model_validator(mode="before")
    @classmethod
    def _epochs_of_the_phases(cls, values: Any) -> Any:
        """Set `epochs` to the sum of the phases' epochs, or check it."""
        if not isinstance(values, dict) or not values.get("phases"):
            return values
        try:
            together = sum(Phase.model_validate(phase).epochs for phase in values["phases"])
        except ValidationError:  # the field's own validation reports it
            return values
        if values.get("epochs", together) != together:
            raise ValueError(
                f"epochs={values['epochs']}, but the phases have {together} together: give --epochs {together}, "
                "or change those of a phase (--phases.0.epochs)"
            )
        return {**values, "epochs": together}

    @property
    def folder(self) -> Path:
        """Folder of the run."""
        set_ = "" if self.data.stem == "fer2013" else f"-{self.data.stem}"
        return self.out or RUNS / f"{self.model}-{self.recipe}-{Path(self.split).stem}-s{self.seed}{set_}"

    @property
    def plan(self) -> tuple[Phase, ...]:
        """The phases; without any, the whole run as one."""
        whole = Phase(epochs=self.epochs, learning_rate=self.learning_rate, trained_stages=self.trained_stages)
        return self.phases or (whole,)

    def curve(self) -> dict:
        """The fields that determine the training curve, which must not change when a run is resumed."""
        return self.model_dump(mode="json", exclude=_NOT_THE_CURVE)


def read_config(folder: Path) -> TrainConfig:
    """Read a run's `config.json`; raises ValueError if it is missing or damaged.

    The files that `start_from`, `teacher` and `data` name need not exist any more.
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
    """Parse the bytes of a `config.json`; raises ValueError with a short reason if they are invalid."""
    try:
        values = parse_json(data)
        config = TrainConfig.model_validate(values)
    except ValidationError as error:
        raise ValueError(first_reason(error)) from error
    understood = config.model_dump(mode="json")
    if other := [name for name, value in values.items() if understood[name] != value]:  # strict: "7" is not a number
        raise ValueError(f"{other[0]}: {values[other[0]]!r} is not as it would be written")
    return config


def write_config(folder: Path, config: TrainConfig) -> None:
    """Write a run's `config.json`, validated again, because `model_copy(update=...)` does not validate."""
    write_json(folder / FILE, TrainConfig.model_validate(config.model_dump()).model_dump(mode="json"))


_NOT_THE_CURVE = {
    *("out", "data", "device", "precision", "threads"),
    *("minutes", "resume", "keep_epochs", "tensorboard", "evaluate", "allow_seen"),
}


ONLY_WITH: Mapping[str, tuple[str, tuple[Any, ...]]] = {
    "momentum": ("optimizer", ("sgd",)),
    "nesterov": ("optimizer", ("sgd",)),
    "warmup": ("schedule", ("cosine",)),
    "decay_every": ("schedule", ("step",)),
    "decay_factor": ("schedule", ("step", "plateau")),
    "patience": ("schedule", ("plateau",)),
    "learning_rate": ("phases", ([],)),
    "trained_stages": ("phases", ([],)),
}
"""Fields that mean something only with certain values of another: field → (the other, these values)."""
