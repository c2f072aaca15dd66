"""The parts of a drawn face: how a person and the action units of an expression shape brows, eyes, nose and mouth.

`anatomy.py` has the lines whose position is needed twice, here to paint them and in `evidence.py` to mark them.
"""

from __future__ import annotations

import numpy as np

from .anatomy import Expression, Person, brow_line, forehead_lines, frown_lines, mouth_points, nasolabial_fold
from .drawing import Canvas, curve, ellipse, from_pixels, lowered, mirrored


def paint_face(canvas: Canvas, person: Person, e: Expression) -> None:
    """Paint the head, back to front."""
    for part in (_head, _hair, _forehead, _eyes, _brows, _nose, _mouth, _cheeks):
        part(canvas, person, e)


def _outline(person: Person, e: Expression) -> np.ndarray:
    """The edge of the face, from the crown round the chin, which sinks as the jaw opens."""
    w, j, chin = person.width, person.width * person.jaw_width, 0.965 + 0.03 * e.jaw
    side = [(0.5 + w * 0.62, 0.03), (0.5 + w * 0.95, 0.22), (0.5 + w, 0.45), (0.5 + w * 0.93, 0.63)]
    side += [(0.5 + j, 0.77), (0.5 + j * 0.66, chin - 0.07), (0.5 + j * 0.28, chin)]
    return curve((0.5, -0.04), *side, *[(1 - x, y) for x, y in reversed(side)], closed=True)


def _skin(canvas: Canvas, person: Person) -> np.ndarray:
    """Tone of every pixel as if the face were an ellipsoid under one soft lamp (Lambert's cosine law)."""
    x, y = from_pixels(canvas.pose, canvas.side)
    nx, ny = (x - 0.5) / (person.width * 1.12), (y - 0.45) / 0.68
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
    lamp = np.array([canvas.scene.light, -canvas.scene.light_height, 1.1])
    lamp /= np.linalg.norm(lamp)
    lambert = np.clip(nx * lamp[0] + ny * lamp[1] + nz * lamp[2], 0, 1)
    shading = canvas.scene.shading
    return (person.skin * (1.02 - shading + shading * lambert)).astype(np.float32)


def _head(canvas: Canvas, person: Person, e: Expression) -> None:
    """Hair behind the head, neck, ears, then the face itself with its shading."""
    canvas.fill(ellipse(0.5, 0.33, person.width + 0.075, 0.44), person.hair)
    neck = curve((0.27, 0.7), (0.29, 0.95), (0.2, 1.1), (0.8, 1.1), (0.71, 0.95), (0.73, 0.7))
    canvas.fill(neck, person.skin * 0.55)
    ear = ellipse(0.5 - person.width - 0.012, 0.47, 0.04, 0.1)
    for points in (ear, mirrored(ear)):
        canvas.fill(points, person.skin * 0.74)
        canvas.fill((points - points.mean(0)) * 0.5 + points.mean(0), person.skin * 0.55, blur=0.008)
    face = _outline(person, e)
    canvas.fill(lowered(face, 0.012), person.skin * 0.3, blur=0.012, opacity=0.8)
    canvas.fill(face, _skin(canvas, person))


def _hair(canvas: Canvas, person: Person, e: Expression) -> None:
    """A parted fringe over the forehead, with a few lighter strands."""
    w, f = person.width, person.fringe
    left, right = 0.5 - w, 0.5 + w
    rim = [(left - 0.05, 0.42), (left + 0.015, 0.36), (left + 0.04, 0.22 + f), (0.33, 0.115 + f), (0.56, 0.055 + f)]
    rim += [(0.66, 0.10 + f), (right - 0.05, 0.2 + f), (right - 0.012, 0.36), (right + 0.05, 0.42)]
    shape = np.vstack([curve(*rim), [(1.0, -0.2), (0.0, -0.2)]])
    canvas.fill(lowered(shape, 0.014), person.skin * 0.45, blur=0.014, opacity=0.5, inside=_outline(person, e))
    head = ellipse(0.5, 0.33, w + 0.075, 0.44)
    canvas.fill(shape, person.hair, inside=head)
    for i in range(5):
        strand = curve((0.56 + 0.02 * i, -0.02), (0.34 - 0.02 * i, 0.03 + 0.01 * i), (left + 0.03 - 0.012 * i, 0.26))
        canvas.line(strand, 0.012, person.hair + 0.1, blur=0.003, opacity=0.5)


def _forehead(canvas: Canvas, person: Person, e: Expression) -> None:
    """Lines across the forehead where the brows rise, upright ones between them where they are drawn together."""
    for y, reach in ((0.165, 0.15), (0.2, 0.17)):
        y -= 0.006 + 0.006 * e.outer_brow
        line = curve((0.5 - reach, y + 0.01), (0.5, y + 0.004), (0.5 + reach, y + 0.01))
        canvas.line(line, 0.011, person.skin * 0.45, blur=0.003, opacity=0.65 * min(forehead_lines(e), 1))
    for side in (-1, 1):
        line = curve((0.5 + side * 0.022, 0.255), (0.5 + side * 0.028, 0.29), (0.5 + side * 0.02, 0.335))
        canvas.line(line, 0.015, person.skin * 0.35, blur=0.003, opacity=0.8 * float(np.clip(frown_lines(e), 0, 1)))


def _eyes(canvas: Canvas, person: Person, e: Expression) -> None:
    """Both eyes: socket, white, iris cut by the lids, lid lines, crease, bag and crow's feet."""
    for mirror in (False, True):
        _eye(canvas, person, e, mirrored if mirror else (lambda points: points))


def _eye(canvas: Canvas, person: Person, e: Expression, flip) -> None:
    """The eye at the left of the image; `flip` moves every point to the side that is wanted."""
    x, y, rx = 0.5 - person.eye_distance, 0.395, 0.077 * person.eye_size
    up = person.eye_size * (0.034 + 0.024 * e.lid - 0.004 * e.lid_tight)
    down = person.eye_size * (0.027 - 0.017 * e.lid_tight + 0.006 * max(e.lid, 0))
    droop = 0.012 * (e.inner_brow - e.outer_brow) * (e.lid < 0)  # sad eyes: the outer corner hangs
    inner, outer = (x + rx, y + 0.008 - droop / 2), (x - rx, y - 0.002 + droop)
    upper = curve(outer, (x - rx * 0.55, y - up * 0.8), (x + rx * 0.1, y - up), (x + rx * 0.65, y - up * 0.62), inner)
    lower = curve(outer, (x - rx * 0.45, y + down * 0.9), (x + rx * 0.2, y + down), inner)
    almond = np.vstack([upper, lower[::-1]])
    canvas.fill(flip(ellipse(x, y - 0.012, rx * 1.3, 0.078)), person.skin * 0.5, blur=0.025, opacity=0.45)
    canvas.fill(flip(almond), 0.97 * min(1.0, person.skin + 0.2))
    _iris(canvas, x + 0.004, y + 0.002 - 0.3 * (up - 0.034) + 0.008 * (e.lid < -0.4), person, flip(almond), flip)
    canvas.line(flip(lowered(upper, 0.006)), 0.016, 0.2, blur=0.005, opacity=0.35)
    canvas.line(flip(upper), 0.017, 0.06)
    canvas.line(flip(lower), 0.008, person.skin * 0.4)
    canvas.line(flip(lowered(upper, -0.022 - 0.006 * e.lid)), 0.008, person.skin * 0.4, blur=0.002, opacity=0.75)
    canvas.line(flip(lowered(lower, 0.025)), 0.011, person.skin * 0.45, blur=0.004, opacity=0.25 + 0.5 * e.lid_tight)


def _iris(canvas: Canvas, x: float, y: float, person: Person, almond: np.ndarray, flip) -> None:
    """Iris, pupil and the lamp's reflection, cut off by the lids."""
    r = 0.034 * person.eye_size
    for radius, tone in ((r, 0.13), (r * 0.88, 0.36), (r * 0.45, 0.03)):
        canvas.fill(flip(ellipse(x, y, radius, radius)), tone, inside=almond)
    center_x = flip(np.array([[x, y]]))[0, 0]  # the lamp is not mirrored with the eye
    canvas.fill(ellipse(center_x + 0.013 * np.sign(canvas.scene.light), y - 0.012, 0.009, 0.009), 1.0, inside=almond)


def _brows(canvas: Canvas, person: Person, e: Expression) -> None:
    """Brows as tapered lines over a soft shadow."""
    brow = brow_line(person, e)
    for line in (brow, mirrored(brow)):
        canvas.line(lowered(line, 0.012), 0.05 * person.brow_weight, person.skin * 0.5, blur=0.012, opacity=0.3)
        canvas.line(line, 0.036 * person.brow_weight, min(person.hair, 0.3), blur=0.002, opacity=0.95)


def _nose(canvas: Canvas, person: Person, e: Expression) -> None:
    """Ridge, tip, wings and nostrils; the wrinkle raises the wings and folds the bridge."""
    lift, shade = 0.022 * e.nose_wrinkle, person.skin * 0.42
    away = -1 if canvas.scene.light > 0 else 1  # the side in shadow
    ridge = curve((0.5 + away * 0.035, 0.36), (0.5 + away * 0.03, 0.46), (0.5 + away * 0.045, 0.58 - lift))
    canvas.line(ridge, 0.035, shade, blur=0.013, opacity=0.5)
    bright = curve((0.5, 0.4), (0.5 - away * 0.004, 0.5), (0.5 - away * 0.004, 0.58))
    canvas.line(bright, 0.03, 1.0, blur=0.012, opacity=0.22)
    canvas.fill(ellipse(0.5 - away * 0.006, 0.585 - lift / 2, 0.028, 0.024), 1.0, blur=0.014, opacity=0.3)
    canvas.fill(ellipse(0.5, 0.645 - lift / 2, 0.075, 0.018), shade, blur=0.014, opacity=0.5)
    wing = curve((0.436, 0.575 - lift), (0.418, 0.605 - lift), (0.428, 0.632 - lift), (0.452, 0.634 - lift))
    hole = ellipse(0.467, 0.632 - lift * 0.8, 0.02, 0.0095 + 0.003 * e.nose_wrinkle)
    for flip in (lambda points: points, mirrored):
        canvas.line(flip(wing), 0.014, shade, blur=0.002, opacity=0.9)
        canvas.fill(flip(hole), person.skin * 0.2, blur=0.003)
    for i, y in enumerate((0.375, 0.41, 0.445)):
        fold = curve((0.452 - 0.006 * i, y + 0.018), (0.5, y - 0.008), (0.548 + 0.006 * i, y + 0.018))
        canvas.line(fold, 0.013, shade * 0.85, blur=0.002, opacity=0.85 * e.nose_wrinkle)


def _mouth(canvas: Canvas, person: Person, e: Expression) -> None:
    """Lips between two corners; an open jaw or a raised lip parts them and shows teeth."""
    left, right, top, bottom = mouth_points(person, e)
    rounded = max(-e.stretch, 0.0)
    inner = _lip_line(left, right, top, rounded), _lip_line(left, right, bottom, rounded)
    reach = _lips(canvas, person, e, (left, right), (top, bottom))
    opening = np.vstack([inner[0], inner[1][::-1]])
    if bottom - top > 0.01:
        _inside_mouth(canvas, opening, (top, bottom))
    canvas.line(inner[0], 0.011, 0.1)
    canvas.line(inner[1], 0.006, 0.15, opacity=0.8)
    canvas.fill(ellipse(0.5, reach + 0.018, 0.075, 0.012), person.skin * 0.4, blur=0.012, opacity=0.4 + 0.25 * e.chin)
    for corner, side in ((left, -1), (right, 1)):
        dimple = 0.5 * max(e.corners, 0) + 0.4 * max(-e.corners, 0) + e.one_corner * (side > 0)
        shadow = ellipse(corner[0] + side * 0.008, corner[1], 0.012, 0.018)
        canvas.fill(shadow, person.skin * 0.35, blur=0.007, opacity=0.3 + 0.5 * min(dimple, 1))


def _lip_line(left: tuple[float, float], right: tuple[float, float], y: float, rounded=0.0, dip=0.0) -> np.ndarray:
    """A line from corner to corner through (0.5, y).

    `rounded` 1 makes it half an ellipse; `dip` lifts the two peaks of the upper lip beside the middle.
    """
    w, bend = right[0] - left[0], 0.4 - 0.3 * rounded
    edge = [(c[0] + s * 0.2 * w, y + (c[1] - y) * bend - dip) for c, s in ((left, 1), (right, -1))]
    peak = [(0.5 - 0.1 * w, y - dip), (0.5 + 0.1 * w, y - dip)] if dip else []
    return curve(left, edge[0], *peak[:1], (0.5, y), *peak[1:], edge[1], right)


def _lips(canvas: Canvas, person: Person, e: Expression, corners, gap) -> float:
    """Both lips around the gap (top, bottom); returns how far down the lower one reaches."""
    thin, rounded = person.lip_weight * (1 - 0.75 * e.press), max(-e.stretch, 0.0)
    upper = 0.026 * thin * (1 - 0.25 * max(e.corners, 0))
    lower = thin * (0.036 - 0.008 * max(e.corners, 0) + 0.008 * e.chin)
    above = _lip_line(*corners, gap[0] - upper, rounded, dip=0.007)
    below = _lip_line(*corners, gap[1] + lower, rounded)
    canvas.fill(np.vstack([above, below[::-1]]), person.skin * 0.62, blur=0.003)
    canvas.fill(np.vstack([above, _lip_line(*corners, gap[0], rounded)[::-1]]), person.skin * 0.5, blur=0.003)
    gloss = ellipse(0.5, gap[1] + lower * 0.5, 0.045, lower * 0.25)
    canvas.fill(gloss, person.skin, blur=0.008, opacity=0.5 * (1 - e.press))
    return float(gap[1] + lower)


def _inside_mouth(canvas: Canvas, opening: np.ndarray, gap: tuple[float, float]) -> None:
    """The dark of the mouth, a tongue where there is room, and the upper row of teeth."""
    height = gap[1] - gap[0]
    canvas.fill(opening, 0.1)
    canvas.fill(ellipse(0.5, gap[1] + 0.005, 0.075, 0.4 * height), 0.42, blur=0.008, inside=opening, opacity=0.9)
    row = 0.034 if height > 0.05 else height * 0.9
    half = len(opening) // 2
    teeth = np.vstack([opening[:half], lowered(opening[:half][::-1], row)])
    canvas.fill(teeth, 0.95, blur=0.002, inside=opening)


def _cheeks(canvas: Canvas, person: Person, e: Expression) -> None:
    """Folds from nose to mouth, cheeks that rise in a smile, and the dimpled chin of a pushed-up lip."""
    smile, fold = max(e.corners, 0), nasolabial_fold(e)
    strength = min(1.0, 0.18 + 0.55 * smile + 0.6 * e.nose_wrinkle + 0.25 * max(-e.corners, 0))
    for side, flip in ((-1, lambda points: points), (1, mirrored)):
        extra = 0.5 * e.one_corner * (side > 0)
        canvas.line(flip(fold), 0.013, person.skin * 0.4, blur=0.004, opacity=min(1.0, strength + extra))
        canvas.fill(flip(ellipse(0.265, 0.58, 0.06, 0.04)), 1.0, blur=0.03, opacity=0.22 * smile)
    canvas.fill(ellipse(0.5, 0.905, 0.06, 0.022), person.skin * 0.45, blur=0.016, opacity=0.25 + 0.3 * e.chin)
