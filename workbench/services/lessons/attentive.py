"""Three lessons on attention: channel attention, spatial attention, SVD attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models import ModelSpec
from models.layers.bam import BAM, BAMSteps
from models.layers.cbam import CBAM, CBAMSteps
from models.layers.svd_attention import SVDAttentionSteps

from ...analysis import attention
from ...analysis.attention import AttentionKind
from ...analysis.model_isolation import isolated
from ...faces import Face
from ..gates import stored_gates
from ..networks import Network, get_spec, open_network
from .common import Symbol, centers, fields, network_for, symbol


def has_bam_or_cbam(spec: ModelSpec) -> bool:
    """Whether a network has CBAM or BAM; not SCA, which is built as CBAM but for other maps."""
    return spec.attention in ("BAM", "CBAM")


def network_with_cbam(chosen: str) -> str:
    """The chosen network if it has BAM or CBAM, else the first one with CBAM, the trained ones first."""
    return chosen if has_bam_or_cbam(get_spec(chosen)) else network_for(chosen, lambda spec: spec.attention == "CBAM")


def _most_variable(net: Network, title: str) -> tuple[str, Any]:
    """Name and module of BAM or CBAM whose gate differs most between images; the first without stored statistics.

    A gate that is the same for every image would show nothing. `title` is that of CBAM's gate; BAM has only one.
    """
    modules = [(name, net.model.get_submodule(name)) for name in net.spec.attention_layers]
    modules = [(name, module) for name, module in modules if isinstance(module, (BAM, CBAM))]
    stored = stored_gates(net.name)

    def deviation(named: tuple[str, Any]) -> float:
        statistics = stored.of(named[0]) if stored else None
        gates = statistics.gates if statistics else ()
        return max((found.deviation for found in gates if found.gate.title in (title, "gate")), default=0.0)

    return max(modules, key=deviation)


def has_svd(spec: ModelSpec) -> bool:
    """Whether a network has SVD attention."""
    return spec.attention == "SVD"


@dataclass(frozen=True, eq=False)
class ChannelAttention:
    """Channel attention of one module on a face, and again with shuffled positions.

    Attributes:
        kind: kind of the module, BAM or CBAM.
        layer: name of the module.
        map_: the input of the module, (C, h, w).
        shuffled: the same with its positions in a random order, the same for all channels, (C, h, w).
        weights: channel weights: in BAM before the sigmoid, which it shares with the spatial branch; else 0..1; (C,).
        after: the same for the shuffled map, (C,).
        change: the largest change of a weight, divided by the range of the weights; 0: none.
        symbols: symbols of the equation.
    """

    kind: AttentionKind
    layer: str
    map_: Tensor
    shuffled: Tensor
    weights: Tensor
    after: Tensor
    change: float
    symbols: tuple[Symbol, ...]


def channel_attention(face: Face, network: str) -> ChannelAttention:
    """Channel weights of a network's most variable BAM or CBAM, for a face and for shuffled positions."""
    net = open_network(network)
    layer, module = _most_variable(net, "channel weights")
    map_ = attention.input_of(net.model, net.prepare(face), layer)  # (1, C, h, w)
    order = torch.randperm(map_[0, 0].numel(), generator=torch.Generator().manual_seed(0))
    shuffled = map_.flatten(2)[..., order].unflatten(2, map_.shape[-2:])
    with isolated(net.model), torch.no_grad():
        steps, again = module.steps(map_), module.steps(shuffled)
    weights, after = steps.m_c.flatten(), again.m_c.flatten()
    found = [
        symbol("F", f"input of `{layer}`", map_[0]),
        symbol(r"\mathrm{avg}\,F", "squeeze: one mean for each channel", steps.average[0]),
        symbol("W_0", "weights that reduce the dimension", _linear(module)[0].weight),
        symbol("W_1", "weights back to all channels", _linear(module)[1].weight),
        symbol("M_c", "excitation: one weight for each channel", weights),
    ]
    if isinstance(module, CBAM):
        found.insert(2, symbol(r"\max F", "one maximum for each channel", steps.maximum[0]))
    change = float((after - weights).abs().max() / (weights.max() - weights.min()).clamp_min(1e-12))
    kind = attention.kind_named(type(module).__name__)
    return ChannelAttention(kind, layer, map_[0], shuffled[0], weights, after, change, tuple(found))


def _linear(module: BAM | CBAM) -> list[nn.Linear]:
    part = module.channel if isinstance(module, BAM) else module.mlp
    return [layer for layer in part if isinstance(layer, nn.Linear)]


@dataclass(frozen=True, eq=False)
class SpatialAttention:
    """Spatial attention of one module on a face.

    Attributes:
        kind: kind of the module, BAM or CBAM.
        layer: name of the module.
        map_: the input of the module, averaged over channels, (h, w).
        positions: nine positions (row, column), the centers of nine fields.
        reach: receptive field of the weight at each of them, with fixed channel weights: absolute gradient with respect
            to the input, summed over channels, divided by its maximum, 0..1, (9, h, w).
        factor: factor of each position: in BAM 1 + the gate's mean over channels, 1..2; else M_s, 0..1; (h, w).
        symbols: symbols of the equation.
    """

    kind: AttentionKind
    layer: str
    map_: Tensor
    positions: tuple[tuple[int, int], ...]
    reach: Tensor
    factor: Tensor
    symbols: tuple[Symbol, ...]

    @property
    def residual(self) -> bool:
        """Whether the module has a residual connection, as BAM has."""
        return self.kind.residual


def spatial_attention(face: Face, network: str) -> SpatialAttention:
    """Spatial weights of a network's most variable BAM or CBAM, and their receptive fields."""
    net = open_network(network)
    layer, module = _most_variable(net, "spatial map")
    map_ = attention.input_of(net.model, net.prepare(face), layer)  # (1, C, h, w)
    positions = tuple(centers(*map_.shape[-2:]))
    with isolated(net.model), torch.enable_grad():
        start = map_.detach().requires_grad_()
        steps = module.steps(start)
        score = _spatial_part(module, start, steps)
        parts = [torch.autograd.grad(score[0, 0, i, j], start, retain_graph=True)[0] for i, j in positions]
    reach = torch.cat(parts).abs().sum(1)  # (9, h, w)
    m_c, m_s = steps.m_c.detach(), steps.m_s.detach()
    found = [symbol("F", f"input of `{layer}`", map_[0])]
    if isinstance(module, BAM):
        factor = 1 + steps.gate.detach()[0].mean(0)
        found += [
            symbol("M_c", "channel branch", m_c[0, :, 0, 0]),
            symbol("M_s", "spatial branch", m_s[0, 0]),
            symbol(r"1 + \mathrm{sigmoid}(M_c + M_s)", "factor of F", 1 + steps.gate[0]),
        ]
    else:
        factor = m_s[0, 0]
        found += [
            symbol("F'", "F times the channel weights", steps.weighted[0]),
            symbol(r"[\mathrm{avg};\,\max]", "mean and maximum over channels", steps.pooled[0]),
            symbol("M_s", "factor of F'", factor),
        ]
    strongest = reach.amax((1, 2), keepdim=True).clamp_min(1e-20)
    kind = attention.kind_named(type(module).__name__)
    return SpatialAttention(kind, layer, map_[0].mean(0), positions, reach / strongest, factor, tuple(found))


def _spatial_part(module: BAM | CBAM, map_: Tensor, steps: BAMSteps | CBAMSteps) -> Tensor:
    """The spatial weights alone, with CBAM's channel weights fixed, (1, 1, h, w)."""
    if isinstance(module, BAM):
        return steps.m_s
    weighted = steps.m_c.detach() * map_
    return module.conv(torch.stack([weighted.mean(1), weighted.amax(1)], 1))


@dataclass(frozen=True, eq=False)
class Gate:
    """The first SVD attention module of a network on a face, and on the same input upside down.

    Attributes:
        layer: name of the module.
        upright, flipped: every step for the input, and for the input upside down, batches of one.
        shares: distance of the gate from its neutral value ½ in each of nine fields, (9,), summing to 1.
        change: the largest difference between the two gates, 0..1.
        symbols: symbols of the equations.
    """

    layer: str
    upright: SVDAttentionSteps
    flipped: SVDAttentionSteps
    shares: Tensor
    change: float
    symbols: tuple[Symbol, ...]


def gate(face: Face, network: str) -> Gate:
    """The gate of a network's first SVD attention module, for a face and for the same input upside down."""
    net = open_network(network)
    layer = net.svd_layers[0]
    map_ = attention.input_of(net.model, net.prepare(face), layer)  # (1, C, h, w)
    module: Any = net.model.get_submodule(layer)
    with isolated(net.model), torch.no_grad():
        upright, flipped = module.steps(map_), module.steps(map_.flip(-2))
    name = "h" if upright.sigma_h is not None else "l"
    query = upright.high if name == "h" else upright.low
    sigma = upright.sigma_h if name == "h" else upright.sigma_l
    return Gate(
        layer,
        upright,
        flipped,
        fields((upright.a[0, 0] - 0.5).abs()),
        float((upright.a - flipped.a).abs().max()),
        (
            symbol("x", f"input of `{layer}`", map_[0]),
            symbol(r"\tilde{x}", "projection to one channel", upright.x_tilde[0]),
            symbol(
                name,
                "high-frequency component, the query" if name == "h" else "low-frequency component, the query",
                query[0],
            ),
            symbol(r"\sigma_x", "singular values of x̃", upright.sigma_x[0]),
            symbol(rf"\sigma_{name}", f"singular values of {name}", sigma[0]),
            symbol("P", "outer product of singular values", upright.outer[0]),
            symbol("a", "the gate", upright.a[0, 0]),
        ),
    )
