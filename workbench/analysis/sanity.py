"""Does a map depend on what the network has learned, and is it stable when the image hardly changes?

    weight randomization   the map of a network with random weights should look different    lower similarity is better
    stability              the map of nearly the same image should look the same           higher similarity is better
    flags                  a map that is blank or nowhere positive says nothing for the class

An explainer is any function `explain(model, x) → (h, w)` that draws the map of one class for one image, so that what
is tested here is what a page shows. Similarity is Spearman's rank correlation: only the order of the
positions matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from threading import get_ident
from typing import Any, Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from models.seeding import seeded

from .cam import resize
from .model_isolation import copy_of, isolated
from .validation import float_matrices, require_images

Explain = Callable[[nn.Module, Tensor], Tensor]
"""(network, one image (1, C_in, H, W)) → the map of one class (h, w)."""

Progress = Callable[[int, int], None]

Flag = Literal["blank", "all negative"]

_FLAT = 1e-6  # a spread below this share of the largest value is rounding in float32


def flag(map_: Float[Tensor, "h w"], against: Float[Tensor, "h w"] | None = None) -> Flag | None:
    """What is wrong with a map before anything is measured, or None.

    "blank": the same everywhere, so it prefers no position. "all negative": it has contrast, but is nowhere evidence
    for the class; such a map, rectified and stretched, would be shown as if it were evidence for the class.

    A rectified map cannot tell the two apart, since both are zero everywhere. The map of the evidence `against` the
    class (see `map_against`) can: where that one has something to show, the blank map was all negative.
    """
    if not _is_flat(map_):
        return "all negative" if map_.max() <= 0 else None
    if map_.max() <= 0 and against is not None and not _is_flat(against):
        return "all negative"
    return "blank"


def _is_flat(map_: Tensor) -> bool:
    map_ = float_matrices(map_, "map_")
    return bool(map_.max() - map_.min() <= _FLAT * map_.abs().max())


def map_against(model: nn.Module, x: Float[Tensor, "1 C_in H W"], explain: Explain) -> Tensor:
    """The map of the evidence against the class: the same explainer on the same network with its logits negated.

    It reverses explainers that rise with the logit, such as every method of `cam`; one that does not use logits
    (attention rollout) returns the map as it was.
    """
    thread = get_ident()

    def negated(_model: nn.Module, _inputs: tuple, logits: Tensor) -> Tensor | None:
        return -logits if get_ident() == thread else None  # a concurrent prediction of another thread is left alone

    with isolated(model), model.register_forward_hook(negated):
        return explain(model, x)


def similarity(a: Tensor, b: Tensor) -> float:
    """Spearman's rank correlation of |a| and |b|, maps of one shape, in −1..1; 1: the same order of positions.

    A map without contrast is like no other, so its similarity is 0.

    Raises:
        ValueError: the shapes differ, or there are NaN or infinite values.
    """
    from scipy.stats import spearmanr  # here: scipy.stats takes half a second

    if a.shape != b.shape:
        raise ValueError(f"b has shape {tuple(b.shape)} and a {tuple(a.shape)}: the explainer has to keep one size")
    a, b = float_matrices(a, "a").abs(), float_matrices(b, "b").abs()
    if _is_flat(a) or _is_flat(b):
        return 0.0
    return float(spearmanr(a.flatten().cpu().numpy(), b.flatten().cpu().numpy()).statistic)


# ------------------------------------------------------------------------------------------------ weights


@dataclass(frozen=True, eq=False)
class Cascade:
    """Cascading parameter randomization, from the last layer down (Adebayo et al. 2018, section 4.1).

    Attributes:
        layers: names of layers, (S,): after each step all layers from the classifier down to this one are random.
        similarity: similarity of |map| with the original after each step, −1..1, for each run with other random
            weights, (R, S). Lower is better: the map reads the weights.
    """

    layers: tuple[str, ...]
    similarity: Tensor

    @property
    def mean(self) -> Float[Tensor, " S"]:
        """Over the runs, (S,)."""
        return self.similarity.mean(0)

    @property
    def final(self) -> float:
        """Mean similarity when every layer is random: near 0 for a map that shows what was learned."""
        return float(self.mean[-1])


def cascade(
    model: nn.Module,
    x: Float[Tensor, "1 C_in H W"],
    explain: Explain,
    steps: int = 8,
    runs: int = 3,
    seed: int = 0,
    progress: Progress | None = None,
) -> Cascade:
    """Randomize a copy of the network from the classifier down, some layers at a time, and draw the map at each step.

    A layer is initialized as PyTorch does (`reset_parameters`, which also resets the statistics of a batch-norm); bare
    parameters are drawn from a normal distribution with their own mean and standard deviation (ours). The first step is
    the last layer alone, the others share the rest evenly, in the order in which the network calls its layers.

    Args:
        model: any network; it is copied and not changed.
        x: one image.
        explain: the explainer.
        steps: largest number of steps; a network with fewer layers has fewer.
        runs: cascades with different random weights. Two maps of 6×6 positions are similar by chance too often.
        seed: random seed of the weights. The caller's random numbers stay as they were.
        progress: called with (maps drawn, maps in all).

    Raises:
        ValueError: `steps` or `runs` is below 1, or the network has no parameters.
    """
    if min(steps, runs) < 1:
        raise ValueError(f"steps={steps}, runs={runs}: both must be at least 1")
    original = explain(model, x)
    found, layers = [], ()
    for run in range(runs):
        twin = copy_of(model)
        groups = _from_the_top(twin, x, steps)
        layers = tuple(group[-1] for group in groups)
        for i, group in enumerate(groups):
            _forget(twin, group, seed + 1000 * run + i)
            found.append(similarity(original, explain(twin, x)))
            if progress:
                progress(len(found), runs * len(groups))
    return Cascade(layers, torch.tensor(found).view(runs, -1))


def _from_the_top(model: nn.Module, x: Tensor, steps: int) -> list[list[str]]:
    """Names of the modules that own parameters, the last one called first: it alone, then the others in even groups.

    A module that the network never calls (its parameters are read by the one around it) goes with that one.
    """
    called: dict[str, int] = {}
    hooks = [
        module.register_forward_pre_hook(lambda *_, name=name: called.__setitem__(name, len(called)))
        for name, module in model.named_modules(remove_duplicate=False)
    ]
    try:
        with torch.no_grad():
            model(x)
    finally:
        for hook in hooks:
            hook.remove()

    def place(name: str) -> int:
        while name not in called:
            name = name.rpartition(".")[0]
        return called[name]

    names = [name for name, module in model.named_modules() if next(module.parameters(recurse=False), None) is not None]
    if not names:
        raise ValueError("model has no parameters, so there is nothing to randomize")
    names.sort(key=place, reverse=True)
    rest, parts = names[1:], min(steps - 1, len(names) - 1)
    if not parts:
        return [names] if steps == 1 else [names[:1]]
    cuts = [round(i * len(rest) / parts) for i in range(parts + 1)]
    return [names[:1], *(rest[a:b] for a, b in pairwise(cuts))]


def _forget(model: nn.Module, names: list[str], seed: int) -> None:
    """Random values in the parameters that these modules own themselves."""
    with seeded(seed), torch.inference_mode(False), torch.no_grad():
        for module in cast(Iterable[Any], map(model.get_submodule, names)):
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
                continue
            for parameter in module.parameters(recurse=False):
                if parameter.numel() > 1:
                    parameter.normal_(float(parameter.mean()), float(parameter.std()))


# ------------------------------------------------------------------------------------------------ stability


@dataclass(frozen=True, eq=False)
class Stability:
    """Similarity of the maps of nearly identical images (after Alvarez-Melis and Jaakkola 2018).

    Attributes:
        noise: similarity with the original for each noisy image, −1..1, (n,); higher is better.
        crop: the same for each small crop, the map moved back and compared where both have a value, (m,).
    """

    noise: Tensor
    crop: Tensor


def stability(
    model: nn.Module,
    x: Float[Tensor, "1 C_in H W"],
    explain: Explain,
    noise: float = 0.1,
    draws: int = 4,
    shift: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Stability:
    """Draw the map again for noisy images and for small crops.

    Args:
        model, x, explain: the network, the image and the explainer, as for `cascade`.
        noise: standard deviation of the noise, in standard deviations of the image.
        draws: number of noisy images.
        shift: pixels by which the four diagonal crops are moved; None: 1/24 of the side (2 of 48), at least 1. What
            a crop leaves free is filled by repeating the border, so that the image keeps its size.
        seed: random seed of the noise.
        progress: called with (maps drawn, maps in all).

    Raises:
        ValueError: `x` is not one finite image, or `shift` is not smaller than half a side.
    """
    require_images(x)
    height, width = x.shape[-2:]
    shift = max(1, round(min(height, width) / 24)) if shift is None else shift
    if not 0 < shift < min(height, width) / 2 or draws < 1:
        raise ValueError(
            f"shift={shift}, draws={draws}: move by 1 pixel or more, less than half a side; draw once or more"
        )
    generator = torch.Generator().manual_seed(seed)
    grain = noise * x.std() * torch.randn(draws, *x.shape, generator=generator).to(x)  # (n, 1, C_in, H, W)
    moves = [(dy, dx) for dy in (-shift, shift) for dx in (-shift, shift)]
    original = explain(model, x)
    found: list[float] = []
    for i in range(draws + len(moves)):
        if i < draws:
            found.append(similarity(original, explain(model, x + grain[i])))
        else:
            found.append(_moved_similarity(model, x, explain, original, moves[i - draws]))
        if progress:
            progress(i + 1, draws + len(moves))
    return Stability(torch.tensor(found[:draws]), torch.tensor(found[draws:]))


def _moved_similarity(model: nn.Module, x: Tensor, explain: Explain, original: Tensor, move: tuple[int, int]) -> float:
    """Similarity of the original map with that of the image moved by (down, right) pixels, moved back."""
    size = x.shape[-2:]
    moved, original = (resize(float_matrices(m, "map_"), size) for m in (explain(model, _shifted(x, move)), original))
    back = _shifted(moved[None, None], (-move[0], -move[1]))[0, 0]
    rows, columns = (slice(max(0, -d), side - max(0, d)) for d, side in zip(move, size, strict=True))
    return similarity(original[rows, columns], back[rows, columns])


def _shifted(x: Tensor, move: tuple[int, int]) -> Tensor:
    """The image moved by (down, right) pixels, its border repeated where nothing is left."""
    down, right = move
    padded = F.pad(x, [abs(right)] * 2 + [abs(down)] * 2, mode="replicate")
    top, left = abs(down) - down, abs(right) - right
    return padded[..., top : top + x.shape[-2], left : left + x.shape[-1]]
