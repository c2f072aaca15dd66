"""The smallest adversarial change: how few gray levels change a prediction, found by following the gradient.

    FGSM    x' = x + ε · sign ∇ₓ L(x, y)                                     Goodfellow et al. 2015, one step
    PGD     x ← clip(x + α · sign ∇ₓ L(x, y)), within ε of the image         Madry et al. 2018, `STEPS` steps of α = ε/4

Both change every pixel by at most ε. The attacks and the search for the smallest ε that succeeds are captum's
(`captum.robust`). ε is given in gray levels of an 8-bit image: ε = g/255 for pixels in 0..1.

L is the difference between the largest other logit and that of the class. Unlike the cross-entropy, its gradient does
not vanish where a network is confident (Carlini and Wagner 2017, f₆).

What it does not prove: a change that these attacks do not find may exist, so their strength is an upper bound of the
smallest one. A network that withstands them is not shown to be robust.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .model_isolation import shared_copy_of
from .progress import advance

ATTACKS = "fgsm", "pgd"

STEPS = 7
"""Number of steps of PGD, as Madry et al. use in training on CIFAR-10."""
RESOLUTION = 0.25
"""Gray levels between two strengths that are tried."""
MOST = 8.0
"""Strongest change that is tried, in gray levels; 8/255 is the usual bound in the literature."""

_AT_ONCE = 8  # images that FGSM's search classifies in one forward pass


@dataclass(frozen=True, eq=False)
class AdversarialChange:
    """The smallest change of an image that an attack found.

    Attributes:
        attack: "fgsm" or "pgd".
        level: its strength in gray levels: every pixel changes by at most this much; None: no strength up to `MOST`
            changes the prediction.
        pixels: the changed image in 0..1, (C, S, S); the one of strength `MOST` where `level` is None.
    """

    attack: str
    level: float | None
    pixels: Tensor


def smallest_change(
    model: nn.Module,
    normalized: Callable[[Tensor], Tensor],
    pixels: Float[Tensor, "C H W"],
    attack: str = "pgd",
) -> AdversarialChange:
    """Find the weakest attack that changes the predicted class.

    FGSM tries the strengths from weak to strong; PGD halves the interval, which takes a stronger attack to succeed
    wherever a weaker one does.

    Args:
        model: any network; it comes back as it was.
        normalized: pixels in 0..1 (B, C, H, W) → the network's input; differentiable.
        pixels: pixels of one image, in 0..1, (C, H, W).
        attack: one of `ATTACKS`.

    Raises:
        ValueError: unknown attack.
    """
    from captum.robust import FGSM, PGD, MinParamPerturbation  # here: captum takes a second

    if attack not in ATTACKS:
        raise ValueError(f'attack="{attack}": choose one of {", ".join(ATTACKS)}')
    twin = shared_copy_of(model)

    def forward(x: Tensor) -> Tensor:
        advance(len(x))
        return twin(normalized(x)).float()

    with torch.inference_mode(False), torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # captum's, of inputs that get a gradient for its sake
        x = pixels[None].clone()
        target = forward(x).argmax(1).detach()
        engine: Any = (FGSM if attack == "fgsm" else PGD)(forward, _margin, lower_bound=0.0, upper_bound=1.0)
        perturb = partial(_fgsm if attack == "fgsm" else _pgd, engine, target)
        search = MinParamPerturbation(
            forward,
            perturb,
            arg_name="ticks",
            arg_min=0,
            arg_max=_TICKS + 1,  # itself not tried
            arg_step=1,
            mode="linear" if attack == "fgsm" else "binary",
        )
        found, ticks = search.evaluate(x, target=target, perturbations_per_eval=_AT_ONCE if attack == "fgsm" else 1)
        if found is None:
            return AdversarialChange(attack, None, perturb(x, ticks=_TICKS)[0].detach())
    return AdversarialChange(attack, RESOLUTION * int(ticks), found[0].detach())


def passes(attack: str) -> int:
    """Forward passes of `smallest_change` at most, a backward pass counted as two."""
    searched = _TICKS.bit_length() + 2
    return 4 * (_TICKS + 1) if attack == "fgsm" else searched * (3 * STEPS + 1)


_TICKS = int(MOST / RESOLUTION)


def _margin(logits: Tensor, target: Tensor) -> Tensor:
    """The largest other logit less that of the target, (B,): above 0 where another class is predicted."""
    others = logits.scatter(1, target.expand(len(logits))[:, None], -torch.inf)
    return others.amax(1) - logits.gather(1, target.expand(len(logits))[:, None])[:, 0]


def _fgsm(engine: Any, target: Tensor, x: Tensor, ticks: int) -> Tensor:
    return engine.perturb(x, epsilon=_epsilon(ticks), target=target)


def _pgd(engine: Any, target: Tensor, x: Tensor, ticks: int) -> Tensor:
    epsilon = _epsilon(ticks)
    return engine.perturb(x, radius=epsilon, step_size=epsilon / 4, step_num=STEPS, target=target)


def _epsilon(ticks: int) -> float:
    return RESOLUTION * ticks / 255
