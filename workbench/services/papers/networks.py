"""Evaluators that build a network without its weights: counts of parameters, sizes of maps, memory."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import nn

from models import create_model, get_spec
from models.text import thousands

from ..svd import memory_account
from .definitions import Claim, Paper
from .evaluators import Ours, evaluator, exact


@lru_cache(maxsize=64)
def built(network: str, **overrides: Any) -> nn.Module:
    """A network without weights in memory, for counting."""
    with torch.device("meta"):
        return create_model(network, **overrides).eval()


def parameters(network: str, **overrides: Any) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in built(network, **overrides).parameters() if p.requires_grad)


def stock(name: str) -> int:
    """Parameters of a network of torchvision as it comes, with 1 000 classes."""
    import torchvision  # here: it takes a second

    with torch.device("meta"):
        return sum(p.numel() for p in getattr(torchvision.models, name)().parameters())


def added(network: str, to: str) -> int:
    """Parameters that a network has more than another."""
    return parameters(network) - parameters(to)


@evaluator
def _parameters(claim: Claim, paper: Paper) -> Ours:
    return exact(claim, parameters(claim.network), f"`ferscope models {claim.network}`")


@evaluator
def _added(claim: Claim, paper: Paper) -> Ours:
    to = claim.given["to"]
    return exact(claim, added(claim.network, to), f"parameters of `{claim.network}` minus those of `{to}`")


@evaluator
def _with_statistics(claim: Claim, paper: Paper) -> Ours:
    trained = parameters(claim.network)
    running = sum(b.numel() for name, b in built(claim.network).named_buffers() if "running" in name)
    text = f"{thousands(trained + running)} = {thousands(trained)} trained + {thousands(running)} running statistics"
    return exact(claim, trained + running, f"parameters and batch normalization buffers of `{claim.network}`", text)


@evaluator
def _smallest_network(claim: Claim, paper: Paper) -> Ours:
    sizes = {name: parameters(name) for name in (claim.network, *claim.given["others"])}
    text = "; ".join(f"{get_spec(name).title} {n / 1e6:.1f}\N{NO-BREAK SPACE}M" for name, n in sizes.items())
    return Ours("exact", text, "`ferscope models`", holds=min(sizes, key=sizes.__getitem__) == claim.network)


@evaluator
def _fewer_with(claim: Claim, paper: Paper) -> Ours:
    own, other = parameters(claim.network), parameters(claim.network, **claim.given["overrides"])
    text = f"{thousands(own)}; {claim.given['name']}: {thousands(other)}"
    return Ours("exact", text, f"`ferscope models {claim.network}`, and built with an override", holds=own < other)


@evaluator
def _modules(claim: Claim, paper: Paper) -> Ours:
    n = len(get_spec(claim.network).attention_layers)
    return exact(claim, n, f"`ferscope models {claim.network}`; consistent with the counts above")


@evaluator
def _shape(claim: Claim, paper: Paper) -> Ours:
    size = _shape_at(claim.network, claim.given["layer"], claim.given["end"])
    text = ("x" if "x" in claim.claimed else "*").join(str(n) for n in size)
    way = f"{claim.given['end']} of `{claim.given['layer']}` of `{claim.network}`"
    return Ours("exact", text, way, holds=text == claim.claimed)


@lru_cache(maxsize=64)
def _shape_at(network: str, layer: str, end: str) -> tuple[int, int, int]:
    """Height, width and channels of what enters or leaves a layer for one image."""
    model, seen = built(network), []
    hook = model.get_submodule(layer).register_forward_hook(lambda m, i, o: seen.append(i[0] if end == "input" else o))
    try:
        side = get_spec(network).input_size
        model(torch.empty(1, get_spec(network).channels, side, side, device="meta"))
    finally:
        hook.remove()
    channels, height, width = seen[0].shape[1:]
    return height, width, channels


@evaluator
def _kronecker(claim: Claim, paper: Paper) -> Ours:
    value = memory_account(side=112, batch=32).kronecker_over_batch
    return exact(claim, value, "(32 · 112²)² numbers of 4 bytes: over the batch as well; page SVD")
