"""Which parts of a drawn face an expression moves, as polygons: the evidence that a map should highlight."""

from __future__ import annotations

import numpy as np

from .anatomy import Expression, Person, brow_line, forehead_lines, frown_lines, mouth_points, nasolabial_fold
from .drawing import band, circle, ellipse, mirrored

_MOVED = 0.2  # of an action unit's strength: below it a movement can hardly be seen


def moved_parts(person: Person, e: Expression) -> dict[str, list[np.ndarray]]:
    """The parts of the face that the expression moves, each as polygons (n, 2) around its position at rest and now.

    A part counts when one of its action units is at least 0.2 strong. At rest nothing has moved: then what there is to
    see are brows, eyes and mouth where they usually are, and these are returned.
    """
    parts = {
        "forehead": forehead_lines(e) >= _MOVED,
        "frown": frown_lines(e) >= _MOVED,
        "brows": _any(e.inner_brow, e.outer_brow, e.brow_lower),
        "eyes": _any(e.lid, e.lid_tight),
        "nose": _any(e.nose_wrinkle),
        "folds": _any(e.corners, e.one_corner, e.nose_wrinkle),
        "cheeks": e.corners >= _MOVED,
        "mouth": _any(e.upper_lip, e.corners, e.one_corner, e.stretch, e.press, e.jaw, e.chin),
        "chin": _any(e.chin),
    }
    moved = [name for name, has in parts.items() if has] or ["brows", "eyes", "mouth"]
    return {name: _REGIONS[name](person, e) for name in moved}


def _any(*strengths: float) -> bool:
    return any(abs(strength) >= _MOVED for strength in strengths)


def _both(points: np.ndarray) -> list[np.ndarray]:
    return [points, mirrored(points)]


def _rounded(left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """A rectangle with round corners: a superellipse of the fourth degree."""
    unit = np.sign(circle()) * np.sqrt(np.abs(circle()))
    return unit * ((right - left) / 2, (bottom - top) / 2) + ((left + right) / 2, (top + bottom) / 2)


def _brows_region(person: Person, e: Expression) -> list[np.ndarray]:
    """Regions from the higher of the two positions of each brow to the lower one."""
    rest, now = brow_line(person, Expression()), brow_line(person, e)
    margin = 0.016 + 0.016 * person.brow_weight
    x = np.where(now[:, 0] > 0.5 - person.eye_distance, np.maximum(rest[:, 0], now[:, 0]), rest[:, 0])
    upper = np.stack([x, np.minimum(rest[:, 1], now[:, 1]) - margin], axis=1)
    lower = np.stack([x, np.maximum(rest[:, 1], now[:, 1]) + margin + 0.012], axis=1)
    ends = [upper[-1] + (margin, margin)], [lower[0] - (margin, margin)]
    return _both(np.vstack([upper, ends[0], lower[::-1], ends[1]]))


def _mouth_region(person: Person, e: Expression) -> list[np.ndarray]:
    """Both positions of the mouth, with lips and the shadows at the corners and below."""
    places = mouth_points(person, Expression()), mouth_points(person, e)
    left, right = min(p[0][0] for p in places), max(p[1][0] for p in places)
    heights = [y for (_, a), (_, b), top, bottom in places for y in (a, b, top - 0.033, bottom + 0.05)]
    return [_rounded(left - 0.035, min(heights) - 0.02, right + 0.035, max(heights) + 0.01)]


def _folds_region(person: Person, e: Expression) -> list[np.ndarray]:
    only_one = not _any(e.corners, e.nose_wrinkle)
    folds = [band(nasolabial_fold(state), 0.03) for state in (Expression(), e)]
    return [side for fold in folds for side in _both(fold)[only_one:]]


def _eyes_region(person: Person, e: Expression) -> list[np.ndarray]:
    x, reach = 0.5 - person.eye_distance, 0.077 * person.eye_size + 0.02
    return _both(_rounded(x - reach, 0.395 - 0.085 * person.eye_size, x + reach, 0.395 + 0.07 * person.eye_size))


_REGIONS = {
    "forehead": lambda person, e: [_rounded(0.31, 0.13, 0.69, 0.235)],
    "frown": lambda person, e: [_rounded(0.455, 0.235, 0.545, 0.36)],
    "brows": _brows_region,
    "eyes": _eyes_region,
    "nose": lambda person, e: [_rounded(0.43, 0.35, 0.57, 0.48), _rounded(0.4, 0.53, 0.6, 0.665)],
    "folds": _folds_region,
    "cheeks": lambda person, e: _both(ellipse(0.265, 0.58, 0.095, 0.075)),
    "mouth": _mouth_region,
    "chin": lambda person, e: [_rounded(0.4, 0.86, 0.6, 0.96)],
}
