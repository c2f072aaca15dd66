"""Augmentation changes every sample of a batch on its own, repeats for the same seed, and keeps pixels pixels."""

from __future__ import annotations

import pytest
import torch

from models.datasets.augment import AUGMENTATIONS, augmentation


def batch(n: int = 6, side: int = 48) -> torch.Tensor:
    torch.manual_seed(3)
    return torch.rand(1, 1, side, side).repeat(n, 1, 1, 1)


def augmented(name: str, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return augmentation(name)(x)


random_ones = pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"none"}))


@random_ones
def test_equal_pictures_of_a_batch_come_out_different(name):
    y = augmented(name, batch())
    assert len({tuple(picture.flatten().tolist()) for picture in y}) == len(y)


@random_ones
def test_the_same_seed_gives_the_same_pictures_and_another_seed_others(name):
    x = batch()
    assert torch.equal(augmented(name, x), augmented(name, x))
    assert not torch.equal(augmented(name, x), augmented(name, x, seed=1))


@random_ones
@pytest.mark.parametrize("side", [32, 48])
def test_shape_type_and_range_stay(name, side):
    x = batch(32, side)
    before = x.clone()
    y = augmented(name, x)
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    assert y.min() >= 0
    assert y.max() <= 1 + 1e-6
    assert torch.equal(x, before)  # the stored pictures are not written to


@random_ones
def test_a_picture_stays_recognisable(name):
    side = 48
    x = torch.zeros(64, 1, side, side)
    x[:, :, 12:36, 12:36] = 1  # a square in the middle
    y = augmented(name, x)
    assert (y[:, :, 20:28, 20:28].mean((1, 2, 3)) > 0.4).float().mean() > 0.9
    assert 0.5 < y.mean() / x.mean() < 1.6


def test_none_changes_nothing():
    x = batch()
    assert torch.equal(augmented("none", x), x)


def test_an_unknown_augmentation_names_the_known_ones():
    with pytest.raises(ValueError, match='"fancy" is not known') as error:
        augmentation("fancy")
    assert all(name in str(error.value) for name in AUGMENTATIONS)
