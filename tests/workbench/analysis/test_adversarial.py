"""The smallest adversarial change: as small as theory says for a linear network, and never beyond its bound."""

from __future__ import annotations

import pytest
import torch
from helpers.small_networks import Net, images, state_of
from torch import nn

from workbench.analysis.adversarial import ATTACKS, MOST, RESOLUTION, smallest_change


def linear(margin: float, side: int = 8) -> nn.Module:
    """Two classes; the first wins on a gray image of 0.5 by `margin` gray levels in every pixel."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(side * side, 2))
    sign = torch.where(torch.arange(side * side) % 3 == 0, 1.0, -1.0)
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([sign, torch.zeros_like(sign)]))
        model[1].bias.copy_(torch.tensor([margin / 255 * side * side - 0.5 * float(sign.sum()), 0.0]))
    return model


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(("margin", "level"), [(0.1, 0.25), (2.6, 2.75), (7.9, 8.0), (8.3, None)])
def test_smallest_change_of_a_linear_network_is_its_margin(attack, margin, level):
    x = torch.full((1, 8, 8), 0.5)
    found = smallest_change(linear(margin), lambda pixels: pixels, x, attack)
    assert found.level == level
    change = 255 * (found.pixels - x).abs()
    torch.testing.assert_close(change, torch.full_like(change, level or MOST), atol=1e-3, rtol=0)


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_changed_image_has_another_class_and_stays_in_its_bounds(attack):
    model, pixels = Net().eval(), images(1)[0].sigmoid()
    before = state_of(model)

    def normalized(x):
        return (x - 0.5) / 0.25

    with torch.inference_mode():  # as services call it
        found = smallest_change(model, normalized, pixels, attack)
    assert state_of(model) == before
    bound = (found.level or MOST) / 255
    assert float((found.pixels - pixels).abs().max()) <= bound + 1e-6
    assert 0 <= float(found.pixels.min()) <= float(found.pixels.max()) <= 1
    assert found.level is None or found.level % RESOLUTION == 0
    with torch.no_grad():
        first, then = (int(model(normalized(x[None])).argmax()) for x in (pixels, found.pixels))
    assert (first != then) == (found.level is not None)


def test_unknown_attacks_are_refused_by_name():
    with pytest.raises(ValueError, match='attack="noise": choose one of fgsm, pgd'):
        smallest_change(linear(1), lambda x: x, torch.rand(1, 8, 8), "noise")
