"""A network with its weights: what it gets of a face, and its predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from models import Card, ModelSpec
from models.checkpoints import CheckpointError
from models.datasets import EMOTIONS
from models.layers.svd_attention import SVDAttention
from models.preprocessing import normalize, to_unit, with_channels

from ..analysis import progress
from ..faces import Face


@dataclass(frozen=True, eq=False)
class Network:
    """A loaded network.

    Attributes:
        name: what the other functions take.
        spec: what is known of its architecture.
        model: the model in evaluation mode, on the CPU.
        card: card of its trained weights; None for random weights, whose predictions mean nothing.
    """

    name: str
    spec: ModelSpec
    model: nn.Module
    card: Card | None

    @property
    def trained(self) -> bool:
        """Whether it has trained weights."""
        return self.card is not None

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes in the order of the logits."""
        return self.card.classes if self.card else EMOTIONS

    @property
    def channels(self) -> int:
        """Channels of its input: 1 for gray, 3 for RGB."""
        return self.card.channels if self.card else self.spec.channels

    @property
    def color(self) -> bool:
        """Whether it gets the colors of a face."""
        return self.card.color if self.card else self.channels > 1

    @property
    def input_size(self) -> int:
        """Side of its input in pixels."""
        return self.card.input_size if self.card else self.spec.input_size

    @property
    def temperature(self) -> float:
        """What its logits are divided by for calibrated probabilities; 1 where none was fitted."""
        return self.card.temperature or 1.0 if self.card else 1.0

    @property
    def inner_side(self) -> int | None:
        """Side in pixels to which it resizes each image inside; None for a network that does not."""
        given = self.card.overrides if self.card else {}
        return self.spec.inner_side and cast(int, given.get("side", self.spec.inner_side))

    @property
    def cam_layer(self) -> str:
        """Its layer for class activation maps; ValueError where it has none."""
        if self.spec.cam_layer is None:
            raise ValueError(f"{self.name} has no layer for class activation maps: choose another network")
        return self.spec.cam_layer

    @property
    def svd_layers(self) -> tuple[str, ...]:
        """Its SVD attention modules, in the order of the forward pass."""
        layers = self.spec.attention_layers
        return tuple(name for name in layers if isinstance(self.model.get_submodule(name), SVDAttention))

    def see(self, face: Face) -> Tensor:
        """Luminance of what it gets of a face, in 0..1, (S, S); for a gray network all of it. TypeError for no face."""
        if not isinstance(face, Face):
            how = "face = faces.find(path)[0], with `from workbench import faces`"
            raise TypeError(f"A network takes a face, not {type(face).__name__}. From an image: {how}")
        return to_unit(torch.from_numpy(face.gray(self.input_size))[None], self.input_size)[0, 0]

    def pixels(self, face: Face) -> Tensor:
        """The pixels that it gets of a face, in 0..1: gray (1, S, S) or RGB (3, S, S)."""
        if not self.color or not isinstance(face, Face):
            return self.see(face)[None]
        return to_unit(torch.from_numpy(face.rgb(self.input_size))[None], self.input_size)[0]

    def normalized(self, pixels: Tensor) -> Tensor:
        """Pixels in 0..1, gray (B, S, S) or (B, 1, S, S), or RGB (B, 3, S, S), as its input, (B, C, S, S)."""
        x = pixels[:, None] if pixels.ndim == 3 else pixels
        return self.card.normalized(x) if self.card else normalize(with_channels(x, self.channels), 0.5, 0.25)

    def prepare(self, face: Face) -> Tensor:
        """Its input for a face, (1, C, S, S)."""
        return self.normalized(self.pixels(face)[None])

    def shown_and_input(self, face: Face) -> tuple[Tensor, Tensor]:
        """Luminance of what it gets of a face, (S, S), and its input, (1, C, S, S)."""
        pixels = self.pixels(face)
        return self.see(face) if self.color else pixels[0], self.normalized(pixels[None])

    def probabilities(self, pixels: Tensor) -> Tensor:
        """Calibrated probabilities for pixels in 0..1, such as perturbed ones, (B, 1 or C, S, S) → (B, K)."""
        return self.calibrated(self.logits(self.normalized(pixels)))

    def logits(self, x: Tensor) -> Tensor:
        """Logits for inputs (B, C, S, S): (B, K)."""
        found = []
        with torch.inference_mode():
            for part in progress.steps(x):
                found.append(self.model(part).float())
                progress.advance(len(part))
            return torch.cat(found)

    def calibrated(self, logits: Tensor) -> Tensor:
        """Probabilities, calibrated by the card's temperature, of logits (B, K): (B, K).

        Raises:
            CheckpointError: the weights give no numbers.
        """
        if not logits.isfinite().all():
            raise CheckpointError(
                f"The weights of {self.name} give no numbers for this face: get its checkpoint again."
            )
        return (logits / self.temperature).softmax(-1)
