"""Drawn faces, one for each emotion: pictures that may be shown everywhere and whose cause is known exactly.

The idea: an expression is a handful of muscle movements. The facial action coding system (Ekman and Friesen, 1978)
numbers them as action units (AU); `Expression` holds the strength of the ones that matter here, `EXPRESSIONS` the
textbook combination of each emotion, and `draw_face` turns them into brows, lids, nose, mouth and folds. Because the
drawing is made of known parts, one can say which part a map *should* highlight.

A drawn face is a caricature of what raters agree on. What a network answers for it says something about the network,
nothing about people.

Coordinates run over the whole head: (0, 0) is the top left corner, (1, 1) the bottom right one. The picture shows the
middle of it, so that the face fills the frame as in FER2013: eyes at about 0.38, mouth at about 0.8 of the height.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter


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
        one_corner: only the corner at the right of the picture pulled up and in (AU 14, contempt).
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


EXPRESSIONS = MappingProxyType(
    {
        "angry": Expression(
            brow_lower=1.1, outer_brow=0.3, lid=0.2, lid_tight=0.5, nose_wrinkle=0.3, press=0.8, corners=-0.6, chin=0.5
        ),
        "disgust": Expression(
            brow_lower=0.6, lid=-0.3, lid_tight=0.8, nose_wrinkle=1, upper_lip=1, corners=-0.6, jaw=0.12, chin=0.4
        ),
        "fear": Expression(inner_brow=1, outer_brow=0.2, lid=0.9, stretch=0.9, corners=-0.45, jaw=0.38),
        "happy": Expression(lid=-0.1, lid_tight=0.7, corners=1, stretch=0.4, jaw=0.38, outer_brow=0.15, inner_brow=0.1),
        "neutral": Expression(),
        "sad": Expression(inner_brow=1, outer_brow=-0.7, lid=-0.45, corners=-1, chin=0.8, stretch=-0.2),
        "surprise": Expression(inner_brow=1, outer_brow=1, lid=1, stretch=-0.6, jaw=1),
        "contempt": Expression(lid=-0.3, lid_tight=0.25, one_corner=1, press=0.5, outer_brow=0.1),
    }
)


@dataclass(frozen=True)
class Person:
    """Whose face it is: gray tones in 0..1 and proportions; the defaults are drawn when no seed is given.

    Attributes:
        skin: tone of the skin in full light.
        hair: tone of hair and brows.
        background: tone behind the head.
        light: where the light comes from, -1 (left of the picture) to 1 (right).
        width: half width of the head.
        jaw_width: half width at the mouth's height, as a share of `width`.
        eye_distance: from the middle of the face to the middle of an eye.
        eye_size: factor on the size of the eyes.
        brow_weight: factor on the thickness of the brows.
        lip_weight: factor on the thickness of the lips.
        fringe: how far the hair hangs into the forehead.
    """

    skin: float = 0.80
    hair: float = 0.16
    background: float = 0.42
    light: float = -0.5
    width: float = 0.40
    jaw_width: float = 0.82
    eye_distance: float = 0.168
    eye_size: float = 1.0
    brow_weight: float = 1.0
    lip_weight: float = 1.0
    fringe: float = 0.0


# Ranges from which a seed draws a person, in the order of the fields of `Person`: a table, so not one number a line.
_PERSON_RANGES = (
    (0.50, 0.88), (0.08, 0.42), (0.20, 0.65), (-1.0, 1.0), (0.375, 0.415), (0.76, 0.88), (0.158, 0.178), (0.9, 1.12),
    (0.75, 1.35), (0.8, 1.25), (-0.03, 0.04),
)  # fmt: skip


def draw_face(emotion: str, size: int = 48, seed: int | None = None) -> np.ndarray:
    """Draw one gray face.

    Args:
        emotion: a key of `EXPRESSIONS`.
        size: side of the picture in pixels, at least 8.
        seed: None draws the default person; a number draws another person and varies the strength of the expression.

    Returns:
        uint8 array of shape (size, size), 0 black to 255 white; equal arguments give equal pixels.

    Raises:
        ValueError: the emotion is not known, or the size is too small.
    """
    if emotion not in EXPRESSIONS:
        raise ValueError(f'emotion="{emotion}" cannot be drawn; choose one of {", ".join(EXPRESSIONS)}')
    if size < 8:
        raise ValueError(f"size={size}: a drawn face needs at least 8 pixels a side")
    person, expression = Person(), EXPRESSIONS[emotion]
    if seed is not None:
        person, expression = _vary(expression, np.random.default_rng(seed))
    canvas = _Canvas(_canvas_side(size), person.background)
    for part in (_head, _hair, _forehead, _eyes, _brows, _nose, _mouth, _cheeks):
        part(canvas, person, expression)
    return canvas.reduced(size)


def _vary(expression: Expression, rng: np.random.Generator) -> tuple[Person, Expression]:
    """A random person, and the expression with each movement between 75 and 115 % of its strength."""
    person = Person(*(float(rng.uniform(low, high)) for low, high in _PERSON_RANGES))
    person = replace(person, hair=min(person.hair, person.skin - 0.25))
    strengths = {f.name: getattr(expression, f.name) * float(rng.uniform(0.75, 1.15)) for f in fields(expression)}
    return person, Expression(**strengths)


def _canvas_side(size: int) -> int:
    """Drawn eight times as large for small pictures, never less than twice: reducing it is the anti-aliasing."""
    return min(8 * size, max(768, 2 * size))


_ZOOM = 1.1  # the cascade of workbench.faces then finds a square like FER2013's in the drawings


class _Canvas:
    """A gray picture of values 0..1 that is painted on with soft-edged polygons, in the head's coordinates."""

    def __init__(self, side: int, tone: float) -> None:
        self.side = side
        self.pixels = np.full((side, side), tone, dtype=np.float32)

    def fill(self, points: np.ndarray, tone: float | np.ndarray, blur=0.0, opacity=1.0, inside=None) -> None:
        """Paint the polygon of `points` (n, 2).

        `tone` is one value or an array of the canvas's shape, `blur` the width of the soft edge, and `inside` another
        polygon that clips it. Only the window that the polygon touches is worked on, which is what makes this fast.
        """
        low, high = self._window(points, 3 * blur)
        if opacity <= 0 or (high <= low).any():
            return
        image = self._polygon(points, low, high)
        if inside is not None:
            image = ImageChops.multiply(image, self._polygon(inside, low, high))
        if blur > 0:
            image = image.filter(ImageFilter.GaussianBlur(blur * self.side))
        window = np.s_[low[1] : high[1], low[0] : high[0]]
        alpha = np.asarray(image, dtype=np.float32) * (min(opacity, 1.0) / 255)
        self.pixels[window] += alpha * ((tone[window] if isinstance(tone, np.ndarray) else tone) - self.pixels[window])

    def stroke(self, points: np.ndarray, width: float, tone: float, blur=0.0, opacity=1.0) -> None:
        """Paint a line that is `width` wide in its middle and thins towards both ends."""
        half = width / 2 * np.sqrt(np.clip(np.sin(np.linspace(0, np.pi, len(points))), 0.02, 1))
        tangent = np.gradient(points, axis=0)
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
        offset = tangent[:, ::-1] * (1, -1) * half[:, None]
        self.fill(np.vstack([points + offset, (points - offset)[::-1]]), tone, blur, opacity)

    def reduced(self, size: int) -> np.ndarray:
        """The picture as uint8 (size, size)."""
        image = Image.fromarray((np.clip(self.pixels, 0, 1) * 255).round().astype(np.uint8))
        return np.asarray(image.resize((size, size), Image.Resampling.BOX)).copy()

    def _window(self, points: np.ndarray, margin: float) -> tuple[np.ndarray, np.ndarray]:
        """Corners (x, y) in pixels of the part of the canvas that the polygon and its soft edge can reach."""
        low = np.floor(self._to_pixels(points.min(0)) - margin * self.side).astype(int) - 1
        high = np.ceil(self._to_pixels(points.max(0)) + margin * self.side).astype(int) + 2
        return np.clip(low, 0, self.side), np.clip(high, 0, self.side)

    def _polygon(self, points: np.ndarray, low: np.ndarray, high: np.ndarray) -> Image.Image:
        image = Image.new("L", tuple((high - low).tolist()), 0)
        ImageDraw.Draw(image).polygon([tuple(p) for p in (self._to_pixels(points) - low).tolist()], fill=255)
        return image

    def _to_pixels(self, points: np.ndarray) -> np.ndarray:
        return ((points - 0.5) * _ZOOM + 0.5) * self.side


def _curve(*points: tuple[float, float], closed: bool = False, steps: int = 16) -> np.ndarray:
    """A smooth line (n, 2) through the points: a Catmull-Rom spline."""
    p = np.asarray(points, dtype=float)
    p = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        for a, b, c, d in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True)
    ]
    return np.vstack([*pieces, p[-2:-1]])


def _ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 96, endpoint=False)
    return np.stack([x + rx * np.cos(t), y + ry * np.sin(t)], axis=1)


def _mirrored(points: np.ndarray) -> np.ndarray:
    """The same part on the other side of the face."""
    return points * (-1, 1) + (1, 0)


def _lower(points: np.ndarray, dy: float) -> np.ndarray:
    """The same part, moved down by `dy`."""
    return points + np.array([0, dy])


def _outline(person: Person, e: Expression) -> np.ndarray:
    """The edge of the face, from the crown round the chin, which sinks as the jaw opens."""
    w, j, chin = person.width, person.width * person.jaw_width, 0.965 + 0.03 * e.jaw
    side = [(0.5 + w * 0.62, 0.03), (0.5 + w * 0.95, 0.22), (0.5 + w, 0.45), (0.5 + w * 0.93, 0.63)]
    side += [(0.5 + j, 0.77), (0.5 + j * 0.66, chin - 0.07), (0.5 + j * 0.28, chin)]
    return _curve((0.5, -0.04), *side, *[(1 - x, y) for x, y in reversed(side)], closed=True)


def _skin(canvas: _Canvas, person: Person) -> np.ndarray:
    """Tone of every pixel as if the face were an ellipsoid under one soft lamp (Lambert's cosine law)."""
    y, x = ((np.mgrid[: canvas.side, : canvas.side] + 0.5) / canvas.side - 0.5) / _ZOOM + 0.5
    nx, ny = (x - 0.5) / (person.width * 1.12), (y - 0.45) / 0.68
    nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
    light = np.array([person.light, -0.55, 1.1]) / np.linalg.norm([person.light, -0.55, 1.1])
    lambert = np.clip(nx * light[0] + ny * light[1] + nz * light[2], 0, 1)
    return (person.skin * (0.56 + 0.46 * lambert)).astype(np.float32)


def _head(canvas: _Canvas, person: Person, e: Expression) -> None:
    """Hair behind the head, neck, ears, then the face itself with its shading."""
    canvas.fill(_ellipse(0.5, 0.33, person.width + 0.075, 0.44), person.hair)
    neck = _curve((0.27, 0.7), (0.29, 0.95), (0.2, 1.1), (0.8, 1.1), (0.71, 0.95), (0.73, 0.7))
    canvas.fill(neck, person.skin * 0.55)
    ear = _ellipse(0.5 - person.width - 0.012, 0.47, 0.04, 0.1)
    for points in (ear, _mirrored(ear)):
        canvas.fill(points, person.skin * 0.74)
        canvas.fill((points - points.mean(0)) * 0.5 + points.mean(0), person.skin * 0.55, blur=0.008)
    face = _outline(person, e)
    canvas.fill(_lower(face, 0.012), person.skin * 0.3, blur=0.012, opacity=0.8)
    canvas.fill(face, _skin(canvas, person))


def _hair(canvas: _Canvas, person: Person, e: Expression) -> None:
    """A parted fringe over the forehead, with a few lighter strands."""
    w, f = person.width, person.fringe
    left, right = 0.5 - w, 0.5 + w
    rim = [(left - 0.05, 0.42), (left + 0.015, 0.36), (left + 0.04, 0.22 + f), (0.33, 0.115 + f), (0.56, 0.055 + f)]
    rim += [(0.66, 0.10 + f), (right - 0.05, 0.2 + f), (right - 0.012, 0.36), (right + 0.05, 0.42)]
    shape = np.vstack([_curve(*rim), [(1.0, -0.2), (0.0, -0.2)]])
    canvas.fill(_lower(shape, 0.014), person.skin * 0.45, blur=0.014, opacity=0.5, inside=_outline(person, e))
    head = _ellipse(0.5, 0.33, w + 0.075, 0.44)
    canvas.fill(shape, person.hair, inside=head)
    for i in range(5):
        strand = _curve((0.56 + 0.02 * i, -0.02), (0.34 - 0.02 * i, 0.03 + 0.01 * i), (left + 0.03 - 0.012 * i, 0.26))
        canvas.stroke(strand, 0.012, person.hair + 0.1, blur=0.003, opacity=0.5)


def _forehead(canvas: _Canvas, person: Person, e: Expression) -> None:
    """Lines across the forehead where the brows rise, upright ones between them where they are drawn together."""
    raised = max(0.0, 0.5 * (e.inner_brow + max(e.outer_brow, 0.2 * e.inner_brow)))
    for y, reach in ((0.165, 0.15), (0.2, 0.17)):
        y -= 0.006 + 0.006 * e.outer_brow
        line = _curve((0.5 - reach, y + 0.01), (0.5, y + 0.004), (0.5 + reach, y + 0.01))
        canvas.stroke(line, 0.011, person.skin * 0.45, blur=0.003, opacity=0.65 * min(raised, 1))
    for side in (-1, 1):
        line = _curve((0.5 + side * 0.022, 0.255), (0.5 + side * 0.028, 0.29), (0.5 + side * 0.02, 0.335))
        frown = max(e.brow_lower, 0.45 * (e.inner_brow - max(e.outer_brow, 0)))
        canvas.stroke(line, 0.015, person.skin * 0.35, blur=0.003, opacity=0.8 * float(np.clip(frown, 0, 1)))


def _eyes(canvas: _Canvas, person: Person, e: Expression) -> None:
    """Both eyes: socket, white, iris cut by the lids, lid lines, crease, bag and crow's feet."""
    for mirror in (False, True):
        _eye(canvas, person, e, _mirrored if mirror else (lambda points: points))


def _eye(canvas: _Canvas, person: Person, e: Expression, flip) -> None:
    """The eye at the left of the picture; `flip` moves every point to the side that is wanted."""
    x, y, rx = 0.5 - person.eye_distance, 0.395, 0.077 * person.eye_size
    up = person.eye_size * (0.034 + 0.024 * e.lid - 0.004 * e.lid_tight)
    down = person.eye_size * (0.027 - 0.017 * e.lid_tight + 0.006 * max(e.lid, 0))
    droop = 0.012 * (e.inner_brow - e.outer_brow) * (e.lid < 0)  # sad eyes: the outer corner hangs
    inner, outer = (x + rx, y + 0.008 - droop / 2), (x - rx, y - 0.002 + droop)
    upper = _curve(outer, (x - rx * 0.55, y - up * 0.8), (x + rx * 0.1, y - up), (x + rx * 0.65, y - up * 0.62), inner)
    lower = _curve(outer, (x - rx * 0.45, y + down * 0.9), (x + rx * 0.2, y + down), inner)
    almond = np.vstack([upper, lower[::-1]])
    canvas.fill(flip(_ellipse(x, y - 0.012, rx * 1.3, 0.078)), person.skin * 0.5, blur=0.025, opacity=0.45)
    canvas.fill(flip(almond), 0.97 * min(1.0, person.skin + 0.2))
    _iris(canvas, x + 0.004, y + 0.002 - 0.3 * (up - 0.034) + 0.008 * (e.lid < -0.4), person, flip(almond), flip)
    canvas.stroke(flip(_lower(upper, 0.006)), 0.016, 0.2, blur=0.005, opacity=0.35)
    canvas.stroke(flip(upper), 0.017, 0.06)
    canvas.stroke(flip(lower), 0.008, person.skin * 0.4)
    canvas.stroke(flip(_lower(upper, -0.022 - 0.006 * e.lid)), 0.008, person.skin * 0.4, blur=0.002, opacity=0.75)
    canvas.stroke(flip(_lower(lower, 0.025)), 0.011, person.skin * 0.45, blur=0.004, opacity=0.25 + 0.5 * e.lid_tight)


def _iris(canvas: _Canvas, x: float, y: float, person: Person, almond: np.ndarray, flip) -> None:
    """Iris, pupil and the lamp's reflection, cut off by the lids."""
    r = 0.034 * person.eye_size
    for radius, tone in ((r, 0.13), (r * 0.88, 0.36), (r * 0.45, 0.03)):
        canvas.fill(flip(_ellipse(x, y, radius, radius)), tone, inside=almond)
    centre_x = flip(np.array([[x, y]]))[0, 0]  # the lamp is not mirrored with the eye
    canvas.fill(_ellipse(centre_x + 0.013 * np.sign(person.light), y - 0.012, 0.009, 0.009), 1.0, inside=almond)


def _brows(canvas: _Canvas, person: Person, e: Expression) -> None:
    """Brows as tapered strokes through four points that the action units move."""
    x, y = 0.5 - person.eye_distance, 0.305
    inner_y = y + 0.004 - 0.064 * e.inner_brow + 0.066 * e.brow_lower
    middle_y = y - 0.014 - 0.018 * e.inner_brow - 0.05 * e.outer_brow + 0.026 * e.brow_lower
    outer_y = y + 0.012 - 0.04 * e.outer_brow - 0.004 * e.brow_lower
    inner_x = x + 0.092 + 0.02 * e.brow_lower + 0.012 * e.inner_brow * (e.outer_brow < 0.5)
    between = (x + 0.03, 0.5 * (inner_y + middle_y))
    brow = _curve((x - 0.105, outer_y), (x - 0.045, middle_y), between, (inner_x, inner_y))
    for line in (brow, _mirrored(brow)):
        canvas.stroke(_lower(line, 0.012), 0.05 * person.brow_weight, person.skin * 0.5, blur=0.012, opacity=0.3)
        canvas.stroke(line, 0.036 * person.brow_weight, min(person.hair, 0.3), blur=0.002, opacity=0.95)


def _nose(canvas: _Canvas, person: Person, e: Expression) -> None:
    """Ridge, tip, wings and nostrils; the wrinkle raises the wings and folds the bridge."""
    lift, shade = 0.022 * e.nose_wrinkle, person.skin * 0.42
    away = -1 if person.light > 0 else 1  # the side in shadow
    ridge = _curve((0.5 + away * 0.035, 0.36), (0.5 + away * 0.03, 0.46), (0.5 + away * 0.045, 0.58 - lift))
    canvas.stroke(ridge, 0.035, shade, blur=0.013, opacity=0.5)
    bright = _curve((0.5, 0.4), (0.5 - away * 0.004, 0.5), (0.5 - away * 0.004, 0.58))
    canvas.stroke(bright, 0.03, 1.0, blur=0.012, opacity=0.22)
    canvas.fill(_ellipse(0.5 - away * 0.006, 0.585 - lift / 2, 0.028, 0.024), 1.0, blur=0.014, opacity=0.3)
    canvas.fill(_ellipse(0.5, 0.645 - lift / 2, 0.075, 0.018), shade, blur=0.014, opacity=0.5)
    wing = _curve((0.436, 0.575 - lift), (0.418, 0.605 - lift), (0.428, 0.632 - lift), (0.452, 0.634 - lift))
    hole = _ellipse(0.467, 0.632 - lift * 0.8, 0.02, 0.0095 + 0.003 * e.nose_wrinkle)
    for flip in (lambda points: points, _mirrored):
        canvas.stroke(flip(wing), 0.014, shade, blur=0.002, opacity=0.9)
        canvas.fill(flip(hole), person.skin * 0.2, blur=0.003)
    for i, y in enumerate((0.375, 0.41, 0.445)):
        fold = _curve((0.452 - 0.006 * i, y + 0.018), (0.5, y - 0.008), (0.548 + 0.006 * i, y + 0.018))
        canvas.stroke(fold, 0.013, shade * 0.85, blur=0.002, opacity=0.85 * e.nose_wrinkle)


def _mouth(canvas: _Canvas, person: Person, e: Expression) -> None:
    """Lips between two corners; an open jaw or a raised lip parts them and shows teeth."""
    y = 0.775
    half = 0.138 + 0.035 * max(e.corners, 0) + 0.04 * e.stretch - 0.012 * e.press
    left = (0.5 - half, y - 0.05 * e.corners)
    right = (0.5 + half - 0.004 * e.one_corner, y - 0.05 * e.corners - 0.055 * e.one_corner)
    top = y - 0.028 * e.jaw - 0.03 * e.upper_lip + 0.012 * e.corners - 0.012 * e.chin
    bottom = top + 0.165 * e.jaw + 0.022 * e.upper_lip
    rounded = max(-e.stretch, 0.0)
    inner = _lip_line(left, right, top, rounded), _lip_line(left, right, bottom, rounded)
    reach = _lips(canvas, person, e, (left, right), (top, bottom))
    opening = np.vstack([inner[0], inner[1][::-1]])
    if bottom - top > 0.01:
        _inside_mouth(canvas, opening, (top, bottom))
    canvas.stroke(inner[0], 0.011, 0.1)
    canvas.stroke(inner[1], 0.006, 0.15, opacity=0.8)
    canvas.fill(_ellipse(0.5, reach + 0.018, 0.075, 0.012), person.skin * 0.4, blur=0.012, opacity=0.4 + 0.25 * e.chin)
    for corner, side in ((left, -1), (right, 1)):
        dimple = 0.5 * max(e.corners, 0) + 0.4 * max(-e.corners, 0) + e.one_corner * (side > 0)
        shadow = _ellipse(corner[0] + side * 0.008, corner[1], 0.012, 0.018)
        canvas.fill(shadow, person.skin * 0.35, blur=0.007, opacity=0.3 + 0.5 * min(dimple, 1))


def _lip_line(left: tuple[float, float], right: tuple[float, float], y: float, rounded=0.0, dip=0.0) -> np.ndarray:
    """From corner to corner through (0.5, y).

    `rounded` 1 makes it half an ellipse; `dip` lifts the two peaks of the upper lip beside the middle.
    """
    w, bend = right[0] - left[0], 0.4 - 0.3 * rounded
    edge = [(c[0] + s * 0.2 * w, y + (c[1] - y) * bend - dip) for c, s in ((left, 1), (right, -1))]
    peak = [(0.5 - 0.1 * w, y - dip), (0.5 + 0.1 * w, y - dip)] if dip else []
    return _curve(left, edge[0], *peak[:1], (0.5, y), *peak[1:], edge[1], right)


def _lips(canvas: _Canvas, person: Person, e: Expression, corners, gap) -> float:
    """Both lips around the gap (top, bottom); returns how far down the lower one reaches."""
    thin, rounded = person.lip_weight * (1 - 0.75 * e.press), max(-e.stretch, 0.0)
    upper = 0.026 * thin * (1 - 0.25 * max(e.corners, 0))
    lower = thin * (0.036 - 0.008 * max(e.corners, 0) + 0.008 * e.chin)
    above = _lip_line(*corners, gap[0] - upper, rounded, dip=0.007)
    below = _lip_line(*corners, gap[1] + lower, rounded)
    canvas.fill(np.vstack([above, below[::-1]]), person.skin * 0.62, blur=0.003)
    canvas.fill(np.vstack([above, _lip_line(*corners, gap[0], rounded)[::-1]]), person.skin * 0.5, blur=0.003)
    gloss = _ellipse(0.5, gap[1] + lower * 0.5, 0.045, lower * 0.25)
    canvas.fill(gloss, person.skin, blur=0.008, opacity=0.5 * (1 - e.press))
    return float(gap[1] + lower)


def _inside_mouth(canvas: _Canvas, opening: np.ndarray, gap: tuple[float, float]) -> None:
    """The dark of the mouth, a tongue where there is room, and the upper row of teeth."""
    height = gap[1] - gap[0]
    canvas.fill(opening, 0.1)
    canvas.fill(_ellipse(0.5, gap[1] + 0.005, 0.075, 0.4 * height), 0.42, blur=0.008, inside=opening, opacity=0.9)
    row = 0.034 if height > 0.05 else height * 0.9
    half = len(opening) // 2
    teeth = np.vstack([opening[:half], _lower(opening[:half][::-1], row)])
    canvas.fill(teeth, 0.95, blur=0.002, inside=opening)


def _cheeks(canvas: _Canvas, person: Person, e: Expression) -> None:
    """Folds from nose to mouth, cheeks that rise in a smile, and the dimpled chin of a pushed-up lip."""
    smile, sneer = max(e.corners, 0), e.nose_wrinkle
    reach = 0.125 + 0.035 * smile + 0.04 * max(e.stretch, 0)
    fold = _curve((0.415, 0.615 - 0.02 * sneer), (0.5 - reach * 0.95, 0.675), (0.46 - reach, 0.755 - 0.03 * smile))
    strength = min(1.0, 0.18 + 0.55 * smile + 0.6 * sneer + 0.25 * max(-e.corners, 0))
    for side, flip in ((-1, lambda points: points), (1, _mirrored)):
        extra = 0.5 * e.one_corner * (side > 0)
        canvas.stroke(flip(fold), 0.013, person.skin * 0.4, blur=0.004, opacity=min(1.0, strength + extra))
        canvas.fill(flip(_ellipse(0.265, 0.58, 0.06, 0.04)), 1.0, blur=0.03, opacity=0.22 * smile)
    canvas.fill(_ellipse(0.5, 0.905, 0.06, 0.022), person.skin * 0.45, blur=0.016, opacity=0.25 + 0.3 * e.chin)
