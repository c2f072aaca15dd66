"""What a gate does: saturation and variation over a sample, and the predictions with a constant in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..validation import require_images, require_logits
from .gates import Gate, gates_of, replaced, watched
from .input_dependence import WeightMoments

CONSTANT_DEVIATION = 0.05
"""A gate with less deviation between images than this, of its range 0..1, is nearly constant."""

CONSTANT_SHARE = 0.95
"""So is one whose correlation ratio η² is at least this: so much of its variance is the same for every image."""


@dataclass(frozen=True, eq=False)
class GateStatistics:
    """One gate over a sample of images; shares are 0..1.

    Attributes:
        gate: the gate.
        saturated: share of its values below 0.05 or above 0.95; None for self-attention, whose rows sum to 1.
        deviation: variation between images: root mean square over its values of their standard deviation; of
            self-attention in units of 1/N, the mean attention weight.
        fixed: the correlation ratio η²: share of its variance that is the same for every image; NaN where all values
            are equal.
        changed_mean: share of predictions changed with its mean over the sample in its place.
        changed_off: the same with its neutral constant; None for self-attention.
        changed_uniform: the same with 1/N everywhere; None but for self-attention.
        mean_map: its mean over images and channels, (h, w); None where it does not weight positions of a map.
    """

    gate: Gate
    saturated: float | None
    deviation: float
    fixed: float
    changed_mean: float
    changed_off: float | None
    changed_uniform: float | None
    mean_map: Tensor | None

    @property
    def constant(self) -> bool:
        """Whether it hardly depends on the image, by `CONSTANT_DEVIATION` or `CONSTANT_SHARE`."""
        return isnan(self.fixed) or self.deviation < CONSTANT_DEVIATION or self.fixed >= CONSTANT_SHARE


@dataclass(frozen=True, eq=False)
class ModuleStatistics:
    """The gates of one attention module over a sample of images, or of all modules together; shares are 0..1.

    Attributes:
        layer: name of the module; "" for all modules together.
        gates: its one gate, or two where it weights channels and positions; () for all modules together.
        changed_mean: share of predictions changed with all of its gates at their means.
        changed_off: the same where it returns its input, as with `enabled = False`.
    """

    layer: str
    gates: tuple[GateStatistics, ...]
    changed_mean: float
    changed_off: float


def gate_statistics(
    model: nn.Module,
    x: Float[Tensor, "N C_in H W"],
    batch_size: int = 50,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[ModuleStatistics, ...]:
    """Saturation, variation and effect of every gate of a network over a sample of images.

    The rest was trained with the gates in place: a prediction that changes says what the gate does in this network, not
    the value of attention in general.

    Args:
        model: a network in training or evaluation mode; it comes back as it was. Threads may share it.
        x: images (N, C_in, H, W), at least two, prepared as the network expects them.
        batch_size: images of one forward pass.
        progress: called after each pass over the sample with the passes done, of `passes(gates_of(model))`.

    Returns:
        One for each module that is called, in the order of `gates_of`; where there are several, a last one for all
        together. () for a network without gates.

    Raises:
        ValueError: fewer than two images, NaN among them, or no finite logits (N, K).
    """
    require_images(x)
    if len(x) < 2:
        raise ValueError("x holds one image. Variation between images needs at least two.")
    by_layer = _by_layer(gates_of(model))
    if not by_layer:
        return ()
    sample = _Sample(model, x.split(batch_size), progress)
    moments = sample.predict([gate for own in by_layer.values() for gate in own])
    by_layer = _by_layer(moments)
    modules = [_module(sample, layer, {gate: moments[gate] for gate in own}) for layer, own in by_layer.items()]
    if len(modules) > 1:
        means = {gate: found.mean for gate, found in moments.items()}
        modules.append(ModuleStatistics("", (), sample.changed(means), sample.changed({}, tuple(by_layer))))
    return tuple(modules)


def passes(gates: Sequence[Gate]) -> int:
    """How many passes over the sample `gate_statistics` needs for these gates."""
    by_layer = _by_layer(gates)
    whole = sum(2 if len(own) > 1 else own[0].neutral is None for own in by_layer.values())  # modules, beside gates
    return 1 + 2 * len(gates) + whole + 2 * (len(by_layer) > 1)


def _by_layer(gates: Sequence[Gate] | Mapping[Gate, WeightMoments]) -> dict[str, list[Gate]]:
    found: dict[str, list[Gate]] = {}
    for gate in gates:
        found.setdefault(gate.layer, []).append(gate)
    return found


def _module(sample: _Sample, layer: str, moments: Mapping[Gate, WeightMoments]) -> ModuleStatistics:
    gates = tuple(_gate(sample, gate, found) for gate, found in moments.items())
    if len(gates) == 1:
        off = gates[0].changed_off  # what the gate does is what the module does
        return ModuleStatistics(
            layer, gates, gates[0].changed_mean, sample.changed({}, (layer,)) if off is None else off
        )
    means = {gate: found.mean for gate, found in moments.items()}
    return ModuleStatistics(layer, gates, sample.changed(means), sample.changed({}, (layer,)))


def _gate(sample: _Sample, gate: Gate, moments: WeightMoments) -> GateStatistics:
    mean, self_attention = moments.mean, gate.neutral is None
    tokens = mean.shape[-1] if self_attention else 1
    weights_positions = mean.ndim == 3 and mean[0].numel() > 1 and not self_attention
    return GateStatistics(
        gate,
        saturated=None if self_attention else moments.saturated,
        deviation=tokens * moments.deviation,
        fixed=moments.fixed_share,
        changed_mean=sample.changed({gate: mean}),
        changed_off=None if gate.neutral is None else sample.changed({gate: gate.neutral}),
        changed_uniform=sample.changed({gate: 1 / tokens}) if self_attention else None,
        mean_map=mean.mean(0) if weights_positions else None,
    )


class _Sample:
    """The images over which gates are measured, and the classes predicted with all gates as they are."""

    def __init__(self, model: nn.Module, batches: Sequence[Tensor], progress: Callable[[int], None]) -> None:
        self.model, self.batches, self.progress, self.done = model, batches, progress, 0

    def predict(self, gates: Sequence[Gate]) -> dict[Gate, WeightMoments]:
        """Predict with the network as it is; of each gate that is called, its moments over the images."""
        moments: dict[Gate, WeightMoments] = {}

        def note(gate: Gate, output: Tensor) -> None:
            moments.setdefault(gate, WeightMoments()).add(output)

        def outputs() -> Iterator[Tensor]:
            for x in self.batches:
                with watched(self.model, gates, note) as model:
                    yield require_logits(model(x), x)

        self.predicted = self._classes(outputs())
        return {gate: moments[gate] for gate in gates if gate in moments}

    def changed(self, values: Mapping[Gate, Tensor | float], off: Sequence[str] = ()) -> float:
        """Share of predictions that change with these gates replaced and these modules off, 0..1."""

        def outputs() -> Iterator[Tensor]:
            for x in self.batches:
                with replaced(self.model, values, off) as model:
                    yield require_logits(model(x), x)

        return float((self._classes(outputs()) != self.predicted).double().mean())

    def _classes(self, logits: Iterator[Tensor]) -> Tensor:
        classes = torch.cat([batch.argmax(1) for batch in logits])
        self.done += 1
        self.progress(self.done)
        return classes
