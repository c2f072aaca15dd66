"""Predictive uncertainty for one image, by two methods that need no second network.

MC dropout (Gal and Ghahramani 2016, "Dropout as a Bayesian approximation"): keep dropout on for T passes,
and measure how far the predictions differ. Each pass is a sample from the posterior over networks. Test-time
augmentation: predict views of the same face that no annotator would label differently.

Symbols: p_t are the probabilities of pass t, p̄ their mean, H[p] = −Σ_k p_k ln p_k the entropy in nats.

    H[p̄]                  total uncertainty: the predictive entropy
    1/T Σ_t H[p_t]         aleatoric part, left even where all passes agree: the image itself is ambiguous
    H[p̄] − 1/T Σ_t H[p_t]  mutual information of prediction and weights (BALD, Houlsby et al. 2011, eq. 2): the passes
                           disagree with each other, so more training images of this kind might help

Both measure how uncertain the network is, not whether it is right: a network can be consistently wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import get_ident
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .corruptions import warped
from .model_isolation import isolated
from .progress import advance
from .validation import require_finite

_WHOLE_CHANNELS = (nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)  # these set a map to zero as a whole
_DROPOUTS = (nn.Dropout, *_WHOLE_CHANNELS)

_ROWS = 32  # images in one forward pass of MC dropout


@dataclass(frozen=True, eq=False)
class McDropout:
    """Predictions of T passes with dropout for B images.

    Attributes:
        draws: probabilities p_t of each pass, (T, B, K).
        mean: their mean p̄, (B, K); sums to 1.
        variance: variance over the passes, (B, K), 0 to 0.25; higher: they differ more in this class.
        entropy: H[p̄] in nats, 0 (sure) to ln K, (B,).
        expected_entropy: mean of H[p_t] in nats, 0 to ln K, (B,); high: the image is unclear to every pass.
        mutual_information: the difference of these two in nats, at least 0, (B,); high: the passes disagree.
    """

    draws: Tensor
    mean: Tensor
    variance: Tensor
    entropy: Tensor
    expected_entropy: Tensor
    mutual_information: Tensor


def has_dropout(model: nn.Module) -> bool:
    """Whether a network has a dropout layer that can be left on: `nn.Dropout`, or 1d, 2d, 3d, with p above 0.

    Dropout that a network calls as a function, without a layer, is not seen.
    """
    return bool(_dropouts(model))


def mc_dropout(
    model: nn.Module, x: Float[Tensor, "B C_in H W"], samples: int = 30, seed: int = 0, temperature: float = 1.0
) -> McDropout:
    """Run T forward passes with dropout on; all else, batch norm above all, stays in evaluation mode.

    The layers are not switched to training, because a plain prediction of another thread would then run with dropout
    too. Hooks that belong to this thread do what the layers would; they draw from a generator of their own, on the CPU,
    so that a seed gives the same passes on every device and torch's global generator does not move.

    Args:
        model: any network (B, C_in, H, W) → logits (B, K) with `has_dropout`; it comes back as it was.
        x: images, prepared as the network expects them.
        samples: number of passes T, at least 2; 30 leave about a fifth of the spread to chance.
        seed: equal seeds draw equal passes.
        temperature: what logits are divided by, above 0.

    Raises:
        ValueError: the network has no dropout or never calls it, or an argument is wrong.
    """
    require_finite(x, "x")
    _check_temperature(temperature)
    if samples < 2:
        raise ValueError(f"samples={samples}: give 2 passes or more, so that they can differ")
    layers = _dropouts(model)
    if not layers:
        raise ValueError(
            "model has no dropout layer, so every pass would give the same prediction. Check has_dropout(model) first; "
            "tta works with any network."
        )
    drop = _Drop(torch.Generator().manual_seed(seed))
    together = max(1, _ROWS // len(x))  # passes in one forward pass
    draws = []
    with isolated(model), torch.no_grad():
        for layer in layers:
            layer.register_forward_hook(drop)  # `isolated` removes it
        for start in range(0, samples, together):
            n = min(together, samples - start)
            logits = model(x.repeat(n, 1, 1, 1)).float()  # (n·B, K)
            draws.append((logits / temperature).softmax(-1).unflatten(0, (n, len(x))))  # (n, B, K)
            advance(n * len(x))
    if not drop.called:
        raise ValueError("model never calls its dropout layers in the forward pass. tta works with any network.")
    return _summary(torch.cat(draws))


class _Drop:
    """The forward hook of a dropout layer that is off: does to its output what the layer would do in training."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator, self.thread, self.called = generator, get_ident(), False

    def __call__(self, layer: Any, inputs: tuple, output: Tensor) -> Tensor | None:
        if get_ident() != self.thread:  # a plain prediction that runs beside this one
            return None
        self.called = True
        whole = isinstance(layer, _WHOLE_CHANNELS)
        shape = (*output.shape[:2], *(1,) * (output.ndim - 2)) if whole else output.shape
        kept = torch.rand(shape, generator=self.generator) >= layer.p
        return torch.where(kept.to(output.device), output / (1 - layer.p), 0)


def _dropouts(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if isinstance(module, _DROPOUTS) and module.p > 0]


def _summary(draws: Tensor) -> McDropout:
    mean = draws.mean(0)  # (B, K)
    entropy, expected = _entropy(mean), _entropy(draws).mean(0)  # (B,) each
    information = (entropy - expected).clamp(min=0)  # never negative but for rounding (Jensen)
    return McDropout(draws, mean, draws.var(0, correction=0), entropy, expected, information)


def _entropy(p: Tensor) -> Tensor:
    """H[p] in nats, (..., K) → (...)."""
    return torch.special.entr(p).sum(-1)


@dataclass(frozen=True)
class View:
    """One way to show a face again without changing its expression.

    Attributes:
        title: title in words.
        mirror: left and right exchanged, before all else.
        degrees: rotation, counter-clockwise.
        shift: moved to the right and down, in shares of the side.
        zoom: factor on the size.
    """

    title: str
    mirror: bool = False
    degrees: float = 0.0
    shift: tuple[float, float] = (0.0, 0.0)
    zoom: float = 1.0


_STEP = 1 / 24  # two pixels of 48

VIEWS = (
    View("original"),
    View("mirrored", mirror=True),
    View("rotated left", degrees=7),
    View("rotated right", degrees=-7),
    View("shifted left", shift=(-_STEP, 0)),
    View("shifted right", shift=(_STEP, 0)),
    View("shifted up", shift=(0, -_STEP)),
    View("shifted down", shift=(0, _STEP)),
    View("smaller", zoom=0.93),
    View("larger", zoom=1.07),
)
"""The views of `tta`. The amounts are ours: what a face detector's frame is off by."""


@dataclass(frozen=True, eq=False)
class Tta:
    """Predictions of a network for V views of B images.

    Attributes:
        views: the views; the first one is the image as it is.
        probabilities: probabilities for each view, (V, B, K).
        mean: mean over all views, (B, K); sums to 1.
        spread: standard deviation over the views, (B, K), 0 to 0.5; higher: the prediction depends on the crop.
        agree: how many of the V views get the same predicted class as the original image, itself
            included: 1 to V, (B,).
    """

    views: tuple[View, ...]
    probabilities: Tensor
    mean: Tensor
    spread: Tensor
    agree: Int[Tensor, " B"]


def tta(
    model: nn.Module, x: Float[Tensor, "B C_in H W"], temperature: float = 1.0, views: tuple[View, ...] = VIEWS
) -> Tta:
    """Predict views of the same images (test-time augmentation); nothing is drawn at random.

    Args:
        model: any network (B, C_in, H, W) → logits (B, K); it is used in evaluation mode and comes back as it was.
        x: images, prepared as the network expects them. Outside of a moved image its edge is repeated.
        temperature: what logits are divided by, above 0.
        views: the first one is what the others are compared with.

    Raises:
        ValueError: `x` holds NaN, `views` is empty, or `temperature` is not above 0.
    """
    require_finite(x, "x")
    _check_temperature(temperature)
    if not views:
        raise ValueError("views is empty. Give one View or more, the first of which is the image as it is.")
    with isolated(model), torch.no_grad():
        found = []
        for view in views:
            found.append(model(_seen(x, view)).float())
            advance(len(x))
    logits = torch.stack(found)  # (V, B, K)
    probabilities = (logits / temperature).softmax(-1)
    predicted = probabilities.argmax(-1)  # (V, B)
    agree = (predicted == predicted[0]).sum(0)
    return Tta(tuple(views), probabilities, probabilities.mean(0), probabilities.std(0, correction=0), agree)


def _seen(x: Tensor, view: View) -> Tensor:
    return warped(x.flip(-1) if view.mirror else x, view.degrees, view.shift, view.zoom)


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise ValueError(f"temperature={temperature}: give a number above 0; 1 leaves the logits as they are")
