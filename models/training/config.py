"""The one description of a training: the command line, the saved run and the recipes are made from this class."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

RUNS = Path(__file__).resolve().parents[2] / "checkpoints" / "runs"


class TrainConfig(BaseModel):
    """Everything that decides what a training does. A recipe (`recipes.py`) is a set of values for these fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "residual_cnn"
    """Name of the network."""
    overrides: dict[str, bool | int | float | str] = Field(default_factory=dict)
    """Arguments of the network's builder, e.g. `--overrides backbone resnet18 fusion False`."""
    recipe: str = "quick"
    """Name of the recipe that the values below start from."""
    data: Path = Path("data/fer2013.npz")
    """The imported set (`ferscope data import`)."""
    split: str = "official"
    """Name of the split, or a file with its lists (`ferscope data splits`): what is trained, chosen and tested with."""
    start_from: Path | None = None
    """A checkpoint's folder: begin with its weights, not with random ones."""
    out: Path | None = None
    """Folder of the run; by default checkpoints/runs/<model>-<recipe>-<split>-s<seed>."""
    seed: int = 0
    """Decides first weights, order, augmentation and dropout."""

    epochs: int = Field(default=26, ge=1)
    """Passes over the training part."""
    batch_size: int = Field(default=128, ge=2)
    """Pictures in one step, over all devices together."""
    input_size: int | None = Field(default=None, ge=8)
    """Side of the network's picture in pixels; by default that of its `ModelSpec`."""
    growing_sizes: tuple[int, ...] = ()
    """Smaller sides to begin with: (32, 40) is a third of the epochs at 32, a third at 40, the rest at full size."""
    learning_rate: float = Field(default=0.1, gt=0)
    """The highest rate of the schedule."""
    schedule: Literal["one-cycle", "constant"] = "one-cycle"
    """One-cycle: up for three tenths of the steps, then down to nearly nothing along a cosine."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of stochastic gradient descent (Nesterov)."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Share of each weight that is taken off, times the rate, at each step."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Share of the target that is spread over all classes."""
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
    threads: int | None = Field(default=None, ge=1)
    """Processor threads; by default as many as torch takes."""

    minutes: float | None = Field(default=None, gt=0)
    """Stop after the last epoch that ends within this time; continue later with --resume."""
    resume: bool = False
    """Continue the run in the folder from its last epoch."""

    @property
    def folder(self) -> Path:
        """Where the run is kept."""
        return self.out or RUNS / f"{self.model}-{self.recipe}-{Path(self.split).stem}-s{self.seed}"

    def curve(self) -> dict:
        """The fields that decide the curve: a resumed run must agree in all of them."""
        return self.model_dump(
            mode="json", exclude={"out", "data", "device", "precision", "threads", "minutes", "resume"}
        )
