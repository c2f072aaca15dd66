"""Faithfulness of maps: remove or restore pixels in the order of the map, and measure the probability of the class.

    deletion      remove the highest pixels first; the probability should drop fast        lower area is better
    insertion     start from the baseline and restore the highest pixels first             higher area is better
    ROAD          remove pixels, each imputed from its neighbors                           higher is better
    average drop  scale the contrast of the image by the map                               lower is better

One such number means little: the network sees the filling too, and removing any part of a face lowers the
probability. So every measure takes many maps at once, and `Score` compares a map with a centered Gaussian (faces are
centered, so a map that ignores the image can score well) and with random maps.

Symbols and shapes, used throughout:

    x  one image (1, C_in, H, W)        N  maps        f  share of the pixels removed or restored, 0..1
    p  probability of the class (softmax of the logits, not calibrated), 0..1

Of a map only the order of its pixels counts for deletion, insertion and ROAD. Where pixels are equal (most class
activation maps are zero over wide areas) a smooth random map decides, the same for all maps: ties give no map an
advantage, and no corner is favored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy import sparse
from torch import Tensor, nn

from .cam import resize
from .model_isolation import isolated
from .validation import class_index, float_matrices, require_images, require_logits

Progress = Callable[[int, int], None]
"""Called with (work done, work in all), in any unit."""

Baseline = Literal["blur", "mean"]

BASELINES: tuple[Baseline, ...] = ("blur", "mean")
"""What replaces removed pixels: the blurred image, or its mean gray."""

PERCENTILE = 95
"""A map beats the random ones where it is better than this share of them, in percent."""

_BATCH = 32  # images per forward pass; more were not faster on a CPU
_BLUR = 1 / 12  # standard deviation of the blur, in sides of the image: 4 of 48 pixels remove brows and mouth
_NEIGHBORS = ((1 / 12, 1 / 6, 1 / 12), (1 / 6, 0, 1 / 6), (1 / 12, 1 / 6, 1 / 12))  # weights of ROAD


# ------------------------------------------------------------------------------------------------ results


@dataclass(frozen=True, eq=False)
class Curve:
    """Probability of a class while pixels are removed, or restored.

    Attributes:
        fraction: share of the pixels removed (deletion) or restored (insertion), rising from 0 to 1, (S,).
        probability: of the class, 0..1, for each map, (N, S).
        higher_is_better: of the area; False for deletion.
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


@dataclass(frozen=True, eq=False)
class Score:
    """A measure of a map beside that of baselines.

    Attributes:
        title: what is measured.
        paper: where it comes from.
        own, gaussian: of the map, and of a centered Gaussian.
        random: of random maps, (R,).
        higher_is_better: the direction.
        lowest, highest: the range.
    """

    title: str
    paper: str
    own: float
    gaussian: float
    random: Tensor
    higher_is_better: bool
    lowest: float
    highest: float

    @property
    def bar(self) -> float:
        """The threshold: 95th percentile of the random maps, 5th where lower is better.

        It is the number of one of them, the next more extreme one: of 40, the second best. Interpolated between two, it
        would let more than one random map in twenty pass.
        """
        percentile, side = (PERCENTILE, "higher") if self.higher_is_better else (100 - PERCENTILE, "lower")
        return float(torch.quantile(self.random, percentile / 100, interpolation=side))

    @property
    def beats_random(self) -> bool:
        """Whether the map is strictly better than the bar."""
        return self.own > self.bar if self.higher_is_better else self.own < self.bar


# ------------------------------------------------------------------------------------------------ baselines


def random_maps(count: int, size: Sequence[int], grid: tuple[int, int] = (7, 7), seed: int = 0) -> Tensor:
    """Smooth random maps: uniform noise on a coarse grid, resized bilinearly, as a class activation map is.

    Noise of single pixels would be too weak a baseline: it removes a bit of every region and leaves all of them
    readable, so that any connected map beats it. These highlight regions as large as those of a map.

    Args:
        count: number of maps.
        size: (height, width) in pixels.
        grid: rows and columns of the noise.
        seed: equal seeds give equal maps.

    Returns:
        (count, *size), −1..1; a map and its negative are equally likely.
    """
    noise = 2 * torch.rand(count, *grid, generator=torch.Generator().manual_seed(seed)) - 1
    return resize(noise, size)


def gaussian_map(size: Sequence[int], spread: float = 0.25) -> Float[Tensor, "H W"]:
    """A centered Gaussian, 1 at the maximum: a map that knows only that faces are centered.

    Args:
        size: (height, width) in pixels.
        spread: standard deviation, in heights and widths of the image; a quarter is our choice.
    """
    y, x = ((torch.arange(side) + 0.5) / side - 0.5 for side in size)
    return torch.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * spread**2))


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
    nothing = _without_features(x, baseline)  # (1, C_in, H, W)
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
        model, x, class_, maps, progress: as for `deletion`.
        fractions: shares of the pixels to fill in, each between 0 and 1, both excluded.
        noise: standard deviation of what is added to filled pixels, in standard deviations of the image.
        seed: of that noise.

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
    nothing = _without_features(x, "mean")
    shown = nothing + strength[:, None] * (x - nothing)  # (N, C_in, H, W)
    p, *kept = _probabilities(model, torch.cat([x, shown.to(x.dtype)]), class_).split([1, len(maps)])
    loss = (p - kept[0]) / p.clamp_min(torch.finfo(p.dtype).tiny)
    return Drop(loss.clamp(0, 1), kept[0] > p)


# ------------------------------------------------------------------------------------------------ steps


def fill_linearly(image: Float[Tensor, "C_in H W"], missing: Bool[Tensor, "H W"]) -> Float[Tensor, "C_in H W"]:
    """Each missing pixel as the weighted mean of its neighbors (Rong et al. 2022), all of them at once.

    With P the weights (a pixel at the border has fewer neighbors, which share the weight), m the missing and k the
    known pixels: (I − P_mm) u_m = P_mk x_k.

    Raises:
        ValueError: no pixel is known.
    """
    from scipy.sparse.linalg import spsolve  # here: it takes a fifth of a second

    gone = missing.flatten().cpu().numpy()
    if gone.all():
        raise ValueError("missing covers the whole image. Leave at least one pixel.")
    P = _neighbor_weights(*missing.shape)[gone]  # (m, H·W)
    A = sparse.identity(P.shape[0], format="csc") - P[:, gone].tocsc()
    values = image.detach().flatten(1).cpu().numpy().T.astype(np.float64)  # (H·W, C_in)
    values[gone] = spsolve(A, P[:, ~gone] @ values[~gone]).reshape(-1, values.shape[1])
    return torch.from_numpy(values.T.copy()).to(image).view(image.shape)


@lru_cache(maxsize=4)
def _neighbor_weights(height: int, width: int) -> sparse.csr_array:
    """P (H·W, H·W): the share of each neighbor in a pixel; rows add up to 1."""
    index = np.arange(height * width).reshape(height, width)
    P = sparse.lil_array((height * width, height * width))
    for i, dy in enumerate((-1, 0, 1)):
        for j, dx in enumerate((-1, 0, 1)):
            here = index[max(0, -dy) : height - max(0, dy), max(0, -dx) : width - max(0, dx)]
            if _NEIGHBORS[i][j]:
                P[here.ravel(), (here + dy * width + dx).ravel()] = _NEIGHBORS[i][j]
    P = P.tocsr()
    return (sparse.diags_array(1 / P.sum(1)) @ P).tocsr()


def _without_features(x: Tensor, baseline: Baseline) -> Tensor:
    """The image that deletion ends in: its mean gray, or blurred so that brows and mouth are gone."""
    from torchvision.transforms.functional import gaussian_blur  # here: torchvision takes a second

    if baseline == "mean":
        return x.mean((-2, -1), keepdim=True).expand_as(x)
    sigma = [max(side * _BLUR, 0.1) for side in x.shape[-2:]]
    reach = [min(math.ceil(3 * s), side - 1) for s, side in zip(sigma, x.shape[-2:], strict=True)]
    return gaussian_blur(x, [2 * r + 1 for r in reach[::-1]], sigma[::-1])  # torchvision takes width, height


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
