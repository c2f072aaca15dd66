"""Augmentation differs for each sample of a batch, repeats for the same seed, and keeps pixels in range."""

from __future__ import annotations

import kornia.augmentation as K
import numpy as np
import pytest
import torch

from models.datasets.augment import AUGMENTATIONS, augmentation, preview
from models.datasets.synthetic.faces import draw_face


def batch(n: int = 6, side: int = 48) -> torch.Tensor:
    torch.manual_seed(3)
    return torch.rand(1, 1, side, side).repeat(n, 1, 1, 1)


def augmented(name: str, x: torch.Tensor, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return augmentation(name)(x)


random_ones = pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"none"}))


@random_ones
def test_equal_images_of_a_batch_come_out_different(name):
    y = augmented(name, batch(32))
    different = len({tuple(picture.flatten().tolist()) for picture in y})
    # Paper D's is the mirror alone; paper E leaves every second image unwarped, in one of four mirrored forms; strong
    # leaves one in eight as it is, in one of two.
    assert different >= {"paper-d": 2, "paper-e": 12, "strong": 28}.get(name, len(y))


@random_ones
def test_the_same_seed_gives_the_same_images_and_another_seed_others(name):
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
    assert not y.requires_grad
    assert y.min() >= 0
    assert y.max() <= 1 + 1e-6
    assert torch.equal(x, before)  # the stored images are not written to


# Not papers A and B: a shift by three quarters of the width, or by a quarter at a zoom of 0.6, moves a square of half
# the side off the middle. That is what these papers do, and the next tests hold them to it.
@pytest.mark.parametrize("name", sorted(set(AUGMENTATIONS) - {"none", "paper-a", "paper-b"}))
def test_an_image_stays_recognizable(name):
    side = 48
    x = torch.zeros(64, 1, side, side)
    x[:, :, 12:36, 12:36] = 1  # a square in the middle
    y = augmented(name, x)
    assert (y[:, :, 20:28, 20:28].mean((1, 2, 3)) > 0.4).float().mean() > 0.9
    assert 0.5 < y.mean() / x.mean() < 1.6


def test_none_changes_nothing():
    x = batch()
    assert torch.equal(augmented("none", x), x)


TRAINED_WITH = {
    "quick": [K.RandomAffine(degrees=20, translate=(0.12, 0.12), scale=(0.85, 1.15), padding_mode="border", p=1.0)],
    "strong": [
        K.ColorJitter(brightness=0.25, contrast=0.25, p=0.5),
        K.RandomAffine(20, (0.12, 0.12), (0.85, 1.2), shear=(-5, 5, -5, 5), padding_mode="border", p=0.5),
    ],
}


@pytest.mark.parametrize("name", TRAINED_WITH)
def test_the_draws_are_those_that_the_shipped_networks_were_trained_with(name):
    x = torch.rand(16, 1, 48, 48, generator=torch.Generator().manual_seed(1))
    torch.manual_seed(0)
    expected = K.ImageSequential(
        K.RandomHorizontalFlip(p=0.5),
        *TRAINED_WITH[name],
        K.RandomErasing(p=0.5, scale=(0.02, 0.2), ratio=(0.3, 3.3), value=0.5),
    )(x)
    after = torch.rand(1)
    assert torch.equal(augmented(name, x), expected)
    assert torch.equal(torch.rand(1), after)  # and draws nothing else


def test_an_unknown_augmentation_names_the_known_ones():
    with pytest.raises(ValueError, match='"fancy" is not known') as error:
        augmentation("fancy")
    assert all(name in str(error.value) for name in AUGMENTATIONS)


# ---- the papers' amounts


def warps(name: str, n: int = 1000) -> torch.Tensor:
    """The matrices (n, 3, 3) with which images of 16×16 were warped."""
    pipeline = AUGMENTATIONS[name].build()
    torch.manual_seed(0)
    pipeline(torch.zeros(n, 1, 16, 16))
    (warp,) = [step for step in pipeline.modules() if isinstance(step, K.RandomAffine)]
    return warp.transform_matrix


@pytest.mark.parametrize(
    ("name", "degrees", "shift", "zoom"),
    [
        ("quick", 20, (0.12, 0.12), (0.85, 1.15)),
        ("paper-a", 90, (0.75, 0.28), (1.0, 1.25)),
        ("paper-b", 35, (0.25, 0.25), (0.6, 1.4)),
        ("paper-c", 15, (0.1, 0.1), (0.9, 1.2)),
    ],
)
def test_turns_shifts_and_zooms_reach_the_amounts_of_the_paper_and_no_further(name, degrees, shift, zoom):
    m = warps(name)
    center = torch.tensor([7.5, 7.5])
    moved = ((m[:, :2, :2] @ center + m[:, :2, 2] - center) / 16).abs().amax(0)  # shares of width and height
    row = m[:, :2, 0]  # where a step along a row goes
    turned, size = torch.rad2deg(torch.atan2(row[:, 1], row[:, 0])).abs().max(), row.norm(dim=1)
    assert turned.item() == pytest.approx(degrees, rel=0.02)
    assert moved.tolist() == pytest.approx(shift, rel=0.02)
    assert [size.min().item(), size.max().item()] == pytest.approx(zoom, rel=0.02)
    assert turned <= degrees + 1e-3
    assert all(a <= b + 1e-4 for a, b in zip(moved.tolist(), shift, strict=True))


def test_paper_b_shears_by_radians_and_zooms_width_and_height_apart():
    linear = warps("paper-b")[:, :2, :2]
    row, column = linear.unbind(-1)
    along = row / row.norm(dim=1, keepdim=True)
    slant = (along * column).sum(1) / row.norm(dim=1)  # tangent of the angle
    assert torch.rad2deg(slant.abs().max().atan()).item() == pytest.approx(22.9, abs=0.3)
    height = torch.linalg.det(linear) / row.norm(dim=1)
    ratio = height / row.norm(dim=1)
    assert ratio.min() < 0.6
    assert ratio.max() > 1.7


def test_brightness_of_paper_b_multiplies():
    y = augmented("paper-b", torch.full((500, 1, 16, 16), 0.4))[:, 0, 8, 8]
    y = y[y > 0]  # the others lie outside the shifted image
    assert y.min().item() == pytest.approx(0.2, abs=0.01)
    assert y.max().item() == pytest.approx(0.6, abs=0.01)
    assert augmented("paper-b", torch.zeros(50, 1, 16, 16)).max() == 0


@pytest.mark.parametrize(("name", "fill"), [("paper-a", 0), ("paper-b", 0), ("paper-c", 1), ("paper-e", 0)])
def test_what_lies_outside_the_image_is_black_or_the_edge_repeated(name, fill):
    y = augmented(name, torch.ones(200, 1, 16, 16))
    assert (y < 0.05).any() == (fill == 0)


def test_paper_a_throws_the_middle_of_the_face_out_of_one_image_in_three():
    x = torch.zeros(600, 1, 48, 48)
    x[:, :, 23:25, 23:25] = 1

    def gone(name: str) -> float:
        return (augmented(name, x).amax((1, 2, 3)) < 0.1).float().mean().item()

    assert gone("paper-a") == pytest.approx(1 / 3, abs=0.08)
    assert [gone(name) for name in ("paper-b", "paper-c", "paper-d", "paper-e")] == [0, 0, 0, 0]


@random_ones
def test_faces_stand_on_their_heads_only_where_the_paper_flips_them(name):
    x = torch.zeros(300, 1, 48, 48)
    x[:, :, :24] = 1  # the upper half is bright
    y = augmented(name, x)
    upside_down = (y[:, :, 24:].mean((1, 2, 3)) > y[:, :, :24].mean((1, 2, 3))).float().mean().item()
    entry = AUGMENTATIONS[name]
    if "vertical flip" in entry.steps:
        assert 0.35 < upside_down < 0.65
        assert "The vertical flip hurts: " in entry.note
    else:
        assert upside_down < 0.1  # not 0: paper B shifts the bright half out of a few images, and black comes in
    assert ("vertical flip" in entry.steps) == (name in ("paper-a", "paper-e"))


def test_what_paper_a_does_to_color_changes_nothing_in_a_gray_image():
    said = " ".join(AUGMENTATIONS["paper-a"].no_effect)
    assert "hue" in said
    assert "grayscale" in said
    gray = torch.rand(4, 1, 16, 16).repeat(1, 3, 1, 1)
    for step in (K.RandomGrayscale(p=1.0), K.ColorJitter(hue=0.2, p=1.0)):
        assert torch.allclose(step(gray), gray, atol=1e-3)
        colors = torch.rand(4, 3, 16, 16)
        assert not torch.allclose(step(colors), colors, atol=0.05)


# ---- what a page shows of them


def test_every_augmentation_can_be_described():
    assert list(AUGMENTATIONS) == ["none", "quick", "strong", "moderate", *(f"paper-{letter}" for letter in "abcde")]
    for name, entry in AUGMENTATIONS.items():
        assert entry.name == name
        assert entry.paper == (name[-1].upper() if name.startswith("paper-") else None)
        assert entry.note.endswith(".")
        assert "\n" not in entry.note
        assert bool(entry.steps) == (name != "none")


@pytest.fixture
def two_faces() -> np.ndarray:
    return np.stack([draw_face("happy", 32), draw_face("sad", 32)])


def test_a_preview_has_the_image_first_and_changed_ones_beside_it(two_faces):
    grid = preview(two_faces, "quick", columns=3)
    assert grid.dtype == np.uint8
    assert grid.shape == (2 * 34 + 2, 4 * 34 + 2)
    for row, face in enumerate(two_faces):
        top = 2 + 34 * row
        cells = [grid[top : top + 32, 2 + 34 * k : 34 + 34 * k] for k in range(4)]
        assert np.array_equal(cells[0], face)
        assert len({cell.tobytes() for cell in cells}) == 4
    lines = np.concatenate([grid[[0, 1, 34, 35, -2, -1]].ravel(), grid[:, [0, 1, 34, 35, -2, -1]].ravel()])
    assert set(lines.tolist()) == {255}


def test_a_preview_depends_on_its_seed_alone_and_leaves_the_draws_of_a_training(two_faces):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = preview(two_faces, "strong", seed=1)
    assert torch.equal(torch.rand(3), expected)
    assert np.array_equal(preview(two_faces, "strong", seed=1), first)
    assert not np.array_equal(preview(two_faces, "strong", seed=2), first)


def test_a_preview_of_none_repeats_the_image(two_faces):
    grid = preview(two_faces[:1], "none", columns=1)
    assert np.array_equal(grid[2:34, 2:34], grid[2:34, 36:68])
    assert preview(two_faces, "none", columns=0).shape == (70, 36)


def test_a_preview_of_something_else_is_refused(two_faces):
    for images in (two_faces / 255, two_faces[0], two_faces[:0]):
        with pytest.raises(ValueError, match="a preview draws uint8"):
            preview(images, "quick")
    with pytest.raises(ValueError, match="there are: none"):
        preview(two_faces, "fancy")
