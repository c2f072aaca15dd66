"""Weights, order and augmentation where classes are of unequal size, against the papers' numbers."""

from __future__ import annotations

import pytest
import torch

from models.datasets import EMOTIONS
from models.datasets.sampling import (
    CLASS_WEIGHTS,
    balanced_order,
    class_aware,
    class_weights,
    inverse_weights,
    rarity,
)

WHOLE = dict(zip(EMOTIONS, (4953, 547, 5121, 8989, 6198, 6077, 4002), strict=True))
TRAINING = (3995, 436, 4097, 7215, 4965, 4830, 3171)


def shares_of_the_loss(name: str) -> dict[str, float]:
    """Share of each class in the training loss, all images being equally hard."""
    parts = [w * n for w, n in zip(class_weights(name, TRAINING, EMOTIONS), TRAINING, strict=True)]
    return {emotion: part / sum(parts) for emotion, part in zip(EMOTIONS, parts, strict=True)}


# ---- weights


def test_inverse_weights_are_the_table_of_paper_b_but_for_one_digit():
    printed = {"angry": 0.81, "disgust": 7.31, "fear": 0.78, "happy": 0.44, "sad": 0.66, "neutral": 0.65}
    ours = dict(zip(WHOLE, inverse_weights(tuple(WHOLE.values()), total=28_000), strict=True))
    assert {emotion: round(weight, 2) for emotion, weight in ours.items()} == printed | {"surprise": 1.0}  # slide: 0.99


def test_inverse_weights_give_each_class_the_same_share_and_average_one():
    assert list(shares_of_the_loss("inverse").values()) == pytest.approx([1 / 7] * 7)
    weights = class_weights("inverse", TRAINING, EMOTIONS)
    assert sum(w * n for w, n in zip(weights, TRAINING, strict=True)) / sum(TRAINING) == pytest.approx(1)


def test_the_weights_of_paper_c_give_the_largest_class_over_half_of_the_loss():
    assert class_weights("paper-c", TRAINING, EMOTIONS) == (0.1, 0.3, 0.3, 1.0, 0.3, 0.3, 0.1)
    shares = shares_of_the_loss("paper-c")
    assert (shares["happy"], TRAINING[3] / sum(TRAINING)) == pytest.approx((0.59, 0.25), abs=0.005)
    assert (shares["disgust"], TRAINING[1] / sum(TRAINING)) == pytest.approx((0.011, 0.015), abs=0.0005)


def test_heavy_weights_give_fear_half_of_the_loss():
    weights = dict(zip(EMOTIONS, class_weights("heavy", TRAINING, EMOTIONS), strict=True))
    assert weights == dict.fromkeys(EMOTIONS, 1.0) | {"disgust": 15.0, "fear": 8.0}
    shares = shares_of_the_loss("heavy")
    assert (shares["fear"], TRAINING[2] / sum(TRAINING)) == pytest.approx((0.52, 0.14), abs=0.005)


def test_weights_that_belong_to_classes_follow_them_into_another_order():
    order = tuple(reversed(EMOTIONS))
    for name in ("paper-c", "heavy"):
        assert class_weights(name, TRAINING, order) == class_weights(name, TRAINING, EMOTIONS)[::-1]


def test_weights_for_other_classes_are_refused_and_inverse_suits_any():
    ckplus = ("angry", "contempt", "disgust", "fear", "happy", "sad", "surprise")
    for name in ("paper-c", "heavy"):
        with pytest.raises(ValueError, match=f'class_weights="{name}" is made for angry.*contempt.*Take inverse'):
            class_weights(name, (1,) * 7, ckplus)
    assert class_weights("inverse", (1, 3), ("a", "b")) == pytest.approx((2, 2 / 3))
    assert class_weights("none", (1, 3), ("a", "b")) == (1, 1)


def test_a_class_without_images_has_no_inverse_weight():
    with pytest.raises(ValueError, match=r"needs images of every class; there are \[3, 0\]"):
        class_weights("inverse", (3, 0), ("a", "b"))


def test_unknown_weights_name_the_known_ones():
    with pytest.raises(ValueError, match='"square" is not known') as error:
        class_weights("square", TRAINING, EMOTIONS)
    assert all(name in str(error.value) for name in CLASS_WEIGHTS)


# ---- order


def labels_of(*counts: int) -> torch.Tensor:
    return torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])


def test_in_a_balanced_epoch_each_class_comes_equally_often():
    labels = labels_of(60, 3, 27)
    order = balanced_order(labels)
    assert order.shape == labels.shape
    assert labels[order].bincount().tolist() == [30, 30, 30]


def test_what_does_not_divide_is_one_image_more_of_some_classes_drawn_anew():
    torch.manual_seed(0)
    labels = labels_of(60, 3, 27)
    counts = [labels[balanced_order(labels, 32)].bincount().tolist() for _ in range(20)]
    assert {tuple(sorted(c)) for c in counts} == {(10, 11, 11)}
    assert len({tuple(c) for c in counts}) == 3
    assert len(balanced_order(labels, 2)) == 2


def test_a_rare_class_repeats_all_its_images_alike_and_a_large_one_repeats_none():
    labels = labels_of(60, 4, 26)
    times = balanced_order(labels).bincount(minlength=90)
    assert times[:60].max() == 1
    assert set(times[60:64].tolist()) == {7, 8}  # 30 = 4·7 + 2
    assert set(times[64:].tolist()) == {1, 2}


def test_a_balanced_epoch_is_shuffled_and_decided_by_the_generator():
    labels = labels_of(50, 50)
    first, again, other = (balanced_order(labels, generator=torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 5 < labels[first][:50].sum() < 45
    torch.manual_seed(0)
    assert torch.equal(balanced_order(labels), first)


def test_a_class_that_does_not_occur_is_left_out():
    labels = labels_of(5, 0, 15)
    assert labels[balanced_order(labels)].bincount().tolist() == [10, 0, 10]


# ---- class-aware augmentation


def test_the_rarer_a_class_the_more_of_its_images_get_the_other_augmentation():
    labels = labels_of(400, 400, 400)
    x = torch.rand(1200, 1, 8, 8)
    torch.manual_seed(0)
    y = class_aware("none", "paper-c", (1000, 500, 10))(x, labels)
    changed = (y != x).flatten(1).any(1).float().view(3, 400).mean(1)
    assert changed[0] == 0
    assert changed[1:].tolist() == pytest.approx([0.5, 0.99], abs=0.06)
    assert rarity((1000, 500, 10)) == pytest.approx((0, 0.5, 0.99))


def test_the_frequent_classes_get_the_base_augmentation():
    torch.manual_seed(0)
    x = torch.rand(8, 1, 8, 8)
    y = class_aware("paper-d", "none", (10, 5))(x, torch.zeros(8, dtype=torch.long))
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(x, y, strict=True)]
    assert any(mirrored)
    assert all(m or torch.equal(a, b) for m, a, b in zip(mirrored, x, y, strict=True))


def test_without_an_augmentation_for_rare_classes_the_draws_are_those_of_the_base():
    from models.datasets.augment import augmentation

    x, labels = torch.rand(16, 1, 16, 16), labels_of(8, 8)
    torch.manual_seed(0)
    expected = augmentation("quick")(x), torch.rand(1)
    torch.manual_seed(0)
    got = class_aware("quick", None, (10, 5))(x, labels), torch.rand(1)
    assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@pytest.mark.parametrize("names", [("fancy", None), ("quick", "fancy"), ("fancy", "quick")])
def test_an_unknown_augmentation_is_refused_when_it_is_requested(names):
    with pytest.raises(ValueError, match='"fancy" is not known'):
        class_aware(*names, (1, 2))
