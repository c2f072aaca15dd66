"""Faithfulness of maps: remove or restore pixels in the order of the map, and measure the probability of the class.

    deletion      remove the highest pixels first; the probability should drop fast        lower area is better
    insertion     start from the baseline and restore the highest pixels first             higher area is better
    ROAD          remove pixels, each imputed from its neighbors                           higher is better
    average drop  scale the contrast of the image by the map                               lower is better

Every measure takes many maps at once, so that a map can be compared with baselines (`baseline_maps.py`): the network
sees the filling too, and removing any part of a face lowers the probability.

Symbols and shapes, used throughout:

    x  one image (1, C_in, H, W)        N  maps        f  share of the pixels removed or restored, 0..1
    p  probability of the class (softmax of the logits, not calibrated), 0..1

Of a map only the order of its pixels counts for deletion, insertion and ROAD. Where pixels are equal (most class
activation maps are zero over wide areas) a smooth random map decides, the same for all maps: ties give no map an
advantage, and no corner is favored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .baseline_maps import random_maps
from .imputation import BASELINES, Baseline, fill_linearly, without_features
from .model_isolation import isolated
from .validation import class_index, float_matrices, require_images, require_logits

Progress = Callable[[int, int], None]
"""Called with (work done, work in all), in any unit."""

_BATCH = 32  # images per forward pass; more were not faster on a CPU


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability of a class while pixels are removed, or restored.

    Attributes:
        fraction: share of the pixels removed (deletion) or restored (insertion), rising from 0 to 1, (S,).
        probability: probability of the class for each map, 0..1, (N, S).
        higher_is_better: whether a larger area is better; False for deletion.
    """

    fraction: Tensor
    probability: Tensor
    higher_is_better: bool

    @property
    def auc(self) -> Float[Tensor, " N"]:
        """Area under each curve by the trapezoid rule, 0..1, (N,)."""
        return torch.trapezoid(self.probability, self.fraction)


@dataclass(frozen=True, eq=False)
class Road:
    """Probability of a class while removed pixels are imputed from their neighbors (Rong et al. 2022).

    Attributes:
        fraction: share of the pixels filled in, rising, (S,).
        most, least: probability, 0..1, after filling in the highest, and the lowest, pixels of each map, each (N, S).
    """

    fraction: Tensor
    most: Tensor
    least: Tensor

    @property
    def gap(self) -> Float[Tensor, " N"]:
        """Mean of (least − most) over the fractions, −1..1, (N,); higher is better, 0 is what random maps get."""
        return (self.least - self.most).mean(1)


@dataclass(frozen=True, eq=False)
class Drop:
    """Drop of the probability when only highlighted regions keep their contrast (Chattopadhyay et al. 2018).

    Attributes:
        drop: share of the probability that is lost, 0..1, (N,); lower is better. Of many images, average it.
        increase: whether the probability rises instead, (N,); true is better.
    """

    drop: Tensor
    increase: Bool[Tensor, " N"]


# ------------------------------------------------------------------------------------------------ measures


def deletion(
    model: nn.Module,
    x: Float[Tensor, "1 C_in H W"],
    class_: int,
    maps: Tensor,
    baseline: Baseline = "mean",
    steps: int = 16,
    progress: Progress | None = None,
) -> Curve:
    """Deletion: remove the highest pixels of each map first (Petsiuk et al. 2018, section 3.3); all maps share batches.

    Differences from the paper: both baselines serve both measures (the paper deletes to a constant and inserts into a
    blur), and our blur has a standard deviation of a twelfth of the side, since the paper's leaves a face readable.

    Args:
        model: any network → logits; it is used in evaluation mode and comes back as it was.
        x: one image, prepared as the network expects it.
        class_: index of the target class.
        maps: (N, H, W), any scale and sign; only the order of the pixels counts.
        baseline: what replaces a pixel: "blur", the blurred image, or "mean", its mean gray.
        steps: number of equal parts in which pixels are removed.
        progress: called with (images done, images in all).

    Returns:
        The curves (N, steps + 1); a lower area is better.

    Raises:
        ValueError: an argument is wrong; the message names it.
    """
    rank = _ranks(_checked(x, maps))  # (N, H·W)
    if steps < 2:
        raise ValueError(f"steps={steps}: take at least 2")
    if baseline not in BASELINES:
        raise ValueError(f'baseline="{baseline}": choose one of {", ".join(BASELINES)}')
    nothing = without_features(x, baseline)  # (1, C_in, H, W)
    pixels = rank.shape[1]
    first = [round(i * pixels / steps) for i in range(1, steps)]  # pixels gone at each step between the two ends

    def image(n: int, s: int) -> Tensor:
        return torch.where((rank[n] < first[s]).view(x.shape[-2:]), nothing, x)[0]

    tasks = [(n, s) for n in range(len(rank)) for s in range(len(first))]
    ends = _probabilities(model, torch.cat([x, nothing]), class_)  # (2,)  the same for every map
    middle = _run(model, tasks, image, class_, progress).view(len(rank), -1)  # (N, steps − 1)
    start, end = ends.view(2, 1, 1).expand(2, len(rank), 1)
    return Curve(torch.linspace(0, 1, steps + 1), torch.cat([start, middle, end], 1), higher_is_better=False)


def insertion(
    model: nn.Module,
    x: Float[Tensor, "1 C_in H W"],
    class_: int,
    maps: Tensor,
    baseline: Baseline = "blur",
    steps: int = 16,
    progress: Progress | None = None,
) -> Curve:
    """Insertion: restore the highest pixels first (Petsiuk et al. 2018); arguments and errors as for `deletion`.

    The images are those of a deletion that removes the lowest pixels first, in the opposite order.

    Returns:
        The curves (N, steps + 1); a higher area is better.
    """
    return _backwards(deletion(model, x, class_, -maps, baseline, steps, progress))


def both_curves(
    model: nn.Module,
    x: Float[Tensor, "1 C_in H W"],
    class_: int,
    maps: Tensor,
    baseline: Baseline,
    steps: int = 16,
    progress: Progress | None = None,
) -> tuple[Curve, Curve]:
    """Deletion and insertion of N maps and of their negatives, at the cost of the deletion alone.

    Deleting a map's negative is inserting the map, read backwards. The negative of a random map is a random map too, so
    N of them count as 2N. Arguments and errors as for `deletion`.

    Returns:
        (deletion, insertion), each with 2N rows: the maps, then their negatives.
    """
    gone = deletion(model, x, class_, torch.cat([maps, -maps]), baseline, steps, progress)
    swapped = gone.probability.roll(len(maps), 0)  # row n becomes that of the negative
    return gone, _backwards(Curve(gone.fraction, swapped, higher_is_better=False))


def road(
    model: nn.Module,
    x: Float[Tensor, "1 C_in H W"],
    class_: int,
    maps: Tensor,
    fractions: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.9),
    noise: float = 0.01,
    seed: int = 0,
    progress: Progress | None = None,
) -> Road:
    """Remove and debias: holes are filled from their surroundings (Rong et al. 2022, "noisy linear imputation").

    A gray hole has a shape that reveals what was removed; an imputed one hardly has. Each missing pixel is the weighted
    mean of its eight neighbors (1/6 beside, 1/12 across), which may be missing too: one linear system an image. The
    paper measures the accuracy over a set; here, of one image, it is the probability of the class.

    Args:
        model, x, class_, maps, progress: the arguments of `deletion`.
        fractions: shares of the pixels to fill in, each between 0 and 1, both excluded.
        noise: standard deviation of what is added to filled pixels, in standard deviations of the image.
        seed: random seed of that noise.

    Returns:
        Probabilities for the highest and for the lowest pixels first; see `Road.gap`.

    Raises:
        ValueError: an argument is wrong; the message names it.
    """
    maps = _checked(x, maps)
    rank = _ranks(torch.cat([maps, -maps]))  # (2N, H·W)
    counts = [round(f * rank.shape[1]) for f in fractions]
    if not counts or min(counts) < 1 or max(counts) >= rank.shape[1]:
        raise ValueError(f"fractions={tuple(fractions)}: give shares between 0 and 1 that leave and take some pixels")
    generator = torch.Generator().manual_seed(seed)
    grain = (noise * x.std() * torch.randn(x.shape, generator=generator).to(x)).flatten(2)[0]  # (C_in, H·W)

    def image(n: int, s: int) -> Tensor:
        missing = rank[n] < counts[s]
        filled = fill_linearly(x[0], missing.view(x.shape[-2:])).flatten(1)  # (C_in, H·W)
        return torch.where(missing, filled + grain, filled).view(x.shape[1:])

    tasks = [(n, s) for n in range(len(rank)) for s in range(len(counts))]
    most, least = _run(model, tasks, image, class_, progress).view(2, len(maps), -1)
    return Road(torch.tensor(fractions, dtype=torch.float32), most, least)


def average_drop(model: nn.Module, x: Float[Tensor, "1 C_in H W"], class_: int, maps: Tensor) -> Drop:
    """Keep the image's contrast as strongly as the map says, 0 to 1 (Chattopadhyay et al. 2018, section 4.1).

    Each map is stretched to 0..1; where it is 0 the image becomes its own mean gray (ours; the paper multiplies, but
    0 is no black in normalized pixels). The measure favors maps that highlight much: one that is 1 nearly everywhere
    drops nothing. Arguments and errors as for `deletion`.
    """
    maps = _checked(x, maps)
    lowest, highest = maps.amin((-2, -1), keepdim=True), maps.amax((-2, -1), keepdim=True)
    strength = (maps - lowest) / (highest - lowest).clamp_min(torch.finfo(maps.dtype).tiny)  # (N, H, W)
    nothing = without_features(x, "mean")
    shown = nothing + strength[:, None] * (x - nothing)  # (N, C_in, H, W)
    p, *kept = _probabilities(model, torch.cat([x, shown.to(x.dtype)]), class_).split([1, len(maps)])
    loss = (p - kept[0]) / p.clamp_min(torch.finfo(p.dtype).tiny)
    return Drop(loss.clamp(0, 1), kept[0] > p)


# ------------------------------------------------------------------------------------------------ steps


def _ranks(maps: Float[Tensor, "N H W"]) -> Int[Tensor, "N P"]:
    """Rank of each pixel in its map, 0 for the highest; a smooth random map decides between equals."""
    flat = maps.flatten(1)
    shuffle = random_maps(1, maps.shape[-2:], seed=1).flatten().to(flat.device).argsort()  # (H·W,)
    order = shuffle[flat[:, shuffle].argsort(dim=1, descending=True, stable=True)]  # (N, H·W)
    return torch.empty_like(order).scatter_(1, order, torch.arange(order.shape[1], device=flat.device).expand_as(order))


def _backwards(curve: Curve) -> Curve:
    return Curve(curve.fraction, curve.probability.flip(1), higher_is_better=not curve.higher_is_better)


def _run(
    model: nn.Module,
    tasks: list[tuple[int, int]],
    image: Callable[[int, int], Tensor],
    class_: int,
    progress: Progress | None,
) -> Tensor:
    """Probability of the class for the image of each task, (number of tasks,); images are made batch by batch."""
    found = []
    for start in range(0, len(tasks), _BATCH):
        batch = torch.stack([image(*task) for task in tasks[start : start + _BATCH]])
        found.append(_probabilities(model, batch, class_))
        if progress:
            progress(min(start + _BATCH, len(tasks)), len(tasks))
    return torch.cat(found)


def _probabilities(model: nn.Module, images: Float[Tensor, "B C_in H W"], class_: int) -> Float[Tensor, " B"]:
    """Softmax of the logits at one class; the network is locked for each batch only, so that other threads can run."""
    found = []
    for batch in images.split(_BATCH):
        with isolated(model), torch.no_grad():
            logits = model(batch)
        index = class_index(class_, require_logits(logits, batch).shape[1])
        found.append(logits.float().softmax(1)[:, index])
    return torch.cat(found).cpu()


def _checked(x: Tensor, maps: Tensor) -> Float[Tensor, "N H W"]:
    require_images(x)
    if len(x) != 1:
        raise ValueError(f"x has shape {tuple(x.shape)}. Give one image (1, C, H, W).")
    if maps.ndim != 3 or maps.shape[1:] != x.shape[2:] or not len(maps):
        raise ValueError(
            f"maps has shape {tuple(maps.shape)}. Give N maps (N, {x.shape[2]}, {x.shape[3]}), as large as x."
        )
    return float_matrices(maps, "maps").to(x.device)
