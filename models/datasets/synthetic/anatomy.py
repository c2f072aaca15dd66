"""Expression and person of a drawn face, and the lines that both the drawing and its masks need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .drawing import curve


@dataclass(frozen=True)
class Expression:
    """How far the face is from rest; 0 is rest and 1 is strong, and where a sign has a meaning it stands here.

    Attributes:
        inner_brow: inner ends of the brows raised (AU 1).
        outer_brow: outer ends of the brows raised (AU 2); negative: sunk.
        brow_lower: brows drawn down and together (AU 4).
        lid: upper lids raised, eyes wide (AU 5); negative: lids drooping.
        lid_tight: lower lids pushed up (AU 6 and 7).
        nose_wrinkle: wrinkles over the bridge, nostrils raised (AU 9).
        upper_lip: upper lip raised (AU 10).
        corners: lip corners pulled up (AU 12); negative: down (AU 15).
        one_corner: only the corner at the right of the image pulled up and in (AU 14, contempt); at the left where
            the pose is mirrored.
        stretch: mouth pulled wide (AU 20); negative: rounded.
        press: lips pressed together and thin (AU 24).
        jaw: mouth open (AU 25 to 27).
        chin: chin pushed up, lower lip forward (AU 17).
    """

    inner_brow: float = 0.0
    outer_brow: float = 0.0
    brow_lower: float = 0.0
    lid: float = 0.0
    lid_tight: float = 0.0
    nose_wrinkle: float = 0.0
    upper_lip: float = 0.0
    corners: float = 0.0
    one_corner: float = 0.0
    stretch: float = 0.0
    press: float = 0.0
    jaw: float = 0.0
    chin: float = 0.0


@dataclass(frozen=True)
class Person:
    """Whose face it is: gray tones in 0..1 and proportions; the defaults are drawn when no seed is given.

    Attributes:
        skin: tone of the skin in full light.
        hair: tone of hair and brows.
        width: half width of the head.
        jaw_width: half width at the mouth's height, as a share of `width`.
        eye_distance: distance from the middle of the face to the middle of an eye.
        eye_size: factor on the size of the eyes.
        brow_weight: factor on the thickness of the brows.
        brow_height: how much higher than usual the brows lie at rest.
        mouth_width: factor on the width of the mouth at rest.
        lip_weight: factor on the thickness of the lips.
        fringe: how far the hair hangs into the forehead.
    """

    skin: float = 0.80
    hair: float = 0.16
    width: float = 0.40
    jaw_width: float = 0.82
    eye_distance: float = 0.168
    eye_size: float = 1.0
    brow_weight: float = 1.0
    brow_height: float = 0.0
    mouth_width: float = 1.0
    lip_weight: float = 1.0
    fringe: float = 0.0


def forehead_lines(e: Expression) -> float:
    """How deep the lines across the forehead are."""
    return max(0.0, 0.5 * (e.inner_brow + max(e.outer_brow, 0.2 * e.inner_brow)))


def frown_lines(e: Expression) -> float:
    """How deep the lines between the brows are."""
    return max(0.0, e.brow_lower, 0.45 * (e.inner_brow - max(e.outer_brow, 0)))


def brow_line(person: Person, e: Expression) -> np.ndarray:
    """Middle line of the brow at the left, through four points that the action units move."""
    x, y = 0.5 - person.eye_distance, 0.305 - person.brow_height
    inner_y = y + 0.004 - 0.064 * e.inner_brow + 0.066 * e.brow_lower
    middle_y = y - 0.014 - 0.018 * e.inner_brow - 0.05 * e.outer_brow + 0.026 * e.brow_lower
    outer_y = y + 0.012 - 0.04 * e.outer_brow - 0.004 * e.brow_lower
    inner_x = x + 0.092 + 0.02 * e.brow_lower + 0.012 * e.inner_brow * (e.outer_brow < 0.5)
    between = (x + 0.03, 0.5 * (inner_y + middle_y))
    return curve((x - 0.105, outer_y), (x - 0.045, middle_y), between, (inner_x, inner_y))


def mouth_points(person: Person, e: Expression) -> tuple[tuple, tuple, float, float]:
    """Both corners (x, y), and how far down the upper and the lower edge of the gap between the lips lie."""
    y = 0.775
    half = 0.138 * person.mouth_width + 0.035 * max(e.corners, 0) + 0.04 * e.stretch - 0.012 * e.press
    left = (0.5 - half, y - 0.05 * e.corners)
    right = (0.5 + half - 0.004 * e.one_corner, y - 0.05 * e.corners - 0.055 * e.one_corner)
    top = y - 0.028 * e.jaw - 0.03 * e.upper_lip + 0.012 * e.corners - 0.012 * e.chin
    return left, right, top, top + 0.165 * e.jaw + 0.022 * e.upper_lip


def nasolabial_fold(e: Expression) -> np.ndarray:
    """The fold from nose to mouth at the left."""
    smile = max(e.corners, 0)
    reach = 0.125 + 0.035 * smile + 0.04 * max(e.stretch, 0)
    start = (0.415, 0.615 - 0.02 * e.nose_wrinkle)
    return curve(start, (0.5 - reach * 0.95, 0.675), (0.46 - reach, 0.755 - 0.03 * smile))
