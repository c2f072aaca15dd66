"""The lesson on gates that do not depend on the input: a learned constant in the place of attention."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from statistics import mean

import torch
from torch import Tensor

from ...analysis.attention import GateStatistics
from ...analysis.attention.gates import watched
from ...faces import Face, load_sample
from ..gates import Gates, stored_gates
from ..networks import Network, is_trained, network_names, open_network
from .common import Symbol, symbol

OTHERS = ("another face", "upside down", "noise")
"""Inputs with which a face is compared."""
_ANOTHER = ("grace_hopper", "astronaut")  # the first that is not the face itself


@dataclass(frozen=True, eq=False)
class InputDependence:
    """The gates of a network on a face and on other inputs, and what its predictions lose with constant gates.

    Attributes:
        gates: statistics of each gate over the sample, in the order of the network.
        values: values of one gate on the face, (n,), at most 2000 of them: of the nearly constant gates, or else of
            all, the one with the fewest saturated values.
        others: input of `OTHERS` → its pixels (S, S), and the values of that gate on it, (n,).
        shown: index of that gate.
        changed_mean: share of predictions of the sample that change with every gate at its mean over the sample.
        changed_off: the same with every attention module disabled.
        pixels: the correlation ratio η² of the images themselves, 0..1.
        images: the sample in words.
        symbols: symbols of the equation.
    """

    gates: tuple[GateStatistics, ...]
    values: Tensor
    others: dict[str, tuple[Tensor, Tensor]]
    shown: int
    changed_mean: float
    changed_off: float
    pixels: float
    images: str
    symbols: tuple[Symbol, ...]


def has_gate_statistics(network: str) -> bool:
    """Whether statistics of gates, self-attention not counted, are stored beside a network's weights."""
    return is_trained(network) and bool(_gates(stored_gates(network)))


def network_with_constant_gates(chosen: str) -> str:
    """The chosen network if its gates were measured, else the measured one with the most constant gates on average.

    Raises:
        ValueError: no network here has statistics of its gates.
    """
    known = [name for name in (chosen, *network_names()) if has_gate_statistics(name)]
    if not known:
        raise ValueError("No network here has statistics of its gates. Measure them: ferscope refresh --only attention")
    return chosen if chosen in known else max(known, key=lambda name: mean(map(_fixed, _gates(stored_gates(name)))))


def _gates(found: Gates | None) -> tuple[GateStatistics, ...]:
    modules = found.modules if found else ()
    return tuple(gate for module in modules for gate in module.gates if gate.gate.neutral is not None)


def _fixed(gate: GateStatistics) -> float:
    """η², 1 for a gate whose values are all equal."""
    return 1.0 if isnan(gate.fixed) else gate.fixed


def constant_gates(face: Face, network: str) -> InputDependence:
    """The gates of a network on a face and on other inputs; see `has_gate_statistics`."""
    net, found = open_network(network), stored_gates(network)
    if found is None:
        raise ValueError(f'network="{network}" has no statistics of its gates: ferscope refresh --only attention')
    gates = _gates(found)
    at = min(range(len(gates)), key=lambda i: (not gates[i].constant, gates[i].saturated or 0.0))
    shown = {"": net.pixels(face), **_inputs(net, face)}
    values = _values(net, gates[at], torch.stack([*shown.values()]))  # (1 + len(OTHERS), n)
    whole = found.modules[-1]
    return InputDependence(
        gates=gates,
        values=values[0],
        others={name: (shown[name][0], row) for name, row in zip(OTHERS, values[1:], strict=True)},
        shown=at,
        changed_mean=whole.changed_mean,
        changed_off=whole.changed_off,
        pixels=found.pixels,
        images=found.images,
        symbols=(
            symbol("w_p", f"values of `{gates[at].gate.path}` for this face", values[0]),
            symbol("w'_p", "the same for another face", values[1]),
            symbol(r"\sigma", "its deviation between images", gates[at].deviation),
            symbol(r"\eta^2", "its correlation ratio", _fixed(gates[at])),
            symbol(r"\eta^2_{\mathrm{all}}", "correlation ratios of all gates", torch.tensor([*map(_fixed, gates)])),
            symbol(r"\eta^2_x", "correlation ratio of the images", found.pixels),
        ),
    )


def _inputs(net: Network, face: Face) -> dict[str, Tensor]:
    """The inputs of `OTHERS`, pixels in 0..1, each (C, S, S)."""
    pixels = net.pixels(face)
    noise = torch.rand(pixels.shape[-2:], generator=torch.Generator().manual_seed(0)).expand_as(pixels)
    other = next(other for other in map(load_sample, _ANOTHER) if other.key != face.key)
    return dict(zip(OTHERS, (net.pixels(other), pixels.flip(-2), noise), strict=True))


def _values(net: Network, statistics: GateStatistics, pixels: Tensor) -> Tensor:
    """Values of a gate for pixels (B, C, S, S), at most 4096 evenly chosen ones, (B, n)."""
    taken: list[Tensor] = []
    with watched(net.model, [statistics.gate], lambda _gate, output: taken.append(output)) as model:
        model(net.normalized(pixels))
    values = taken[-1].flatten(1).float()
    return values[:, :: -(-values.shape[1] // 4096)]
