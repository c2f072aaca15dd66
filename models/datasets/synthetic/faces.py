"""Drawn faces, one for each emotion: images that may be shown everywhere and whose cause is known exactly.

The idea: an expression is a handful of muscle movements. The facial action coding system (Ekman and Friesen, 1978)
numbers them as action units (AU); `Expression` holds the strength of the ones that matter here, `EXPRESSIONS` the
textbook combination of each emotion (the prototypes of EMFACS; Du, Tao and Martinez, 2014, list similar ones), and
`render` turns them into brows, lids, nose, mouth and folds. Because the drawing is made of known parts, one can say
which part a map *should* highlight: `DrawnFace.evidence` marks it. And because anything can be drawn, a shortcut can
be planted: a sticker that comes with one emotion while a network is trained.

A drawn face is a caricature of what annotators agree on. What a network predicts for it says something about the
network, nothing about people.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from types import MappingProxyType

import numpy as np

from .anatomy import Expression, Person
from .drawing import Canvas, Pose, Scene, mask, paint_star, star
from .evidence import moved_parts
from .face_parts import paint_face

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

STICKERS = MappingProxyType({"forehead": (0.735, 0.165), "left cheek": (0.21, 0.665), "right cheek": (0.79, 0.665)})
"""Positions of the sticker and its center (x, y) on the head; left and right are those of an upright image."""

# Ranges from which a seed draws, in the order of the fields: tables, so not one number a line.
_PERSON_RANGES = (
    (0.50, 0.88), (0.08, 0.42), (0.375, 0.415), (0.76, 0.88), (0.158, 0.178), (0.9, 1.12), (0.75, 1.35), (-0.008, 0.01),
    (0.88, 1.1), (0.8, 1.25), (-0.03, 0.04),
)  # fmt: skip
_POSE_RANGES = ((-12, 12), (-14, 14), (-0.04, 0.04), (-0.04, 0.04), (0.92, 1.08))
_SCENE_RANGES = (
    (0.15, 0.75), (-0.3, 0.3), (0.0, 0.15), (-1.0, 1.0), (0.1, 0.9), (0.3, 0.6), (0.0, 0.025),
)  # fmt: skip
_STRENGTHS = (0.75, 1.15)


@dataclass(frozen=True)
class Variation:
    """One draw of everything that a seed decides.

    Attributes:
        expression: the expression with each movement between 75 and 115 % of its strength.
        person: the person whose face it is.
        pose: turned by up to 12° and away by up to 14°, shifted by up to 4 %, zoomed by up to 8 %; half are mirrored.
        scene: background, light and grain.
    """

    expression: Expression
    person: Person
    pose: Pose
    scene: Scene


@dataclass(frozen=True, eq=False)
class DrawnFace:
    """A drawn face, and what is known about it.

    Attributes:
        image: gray image, uint8 (size, size), 0 black to 255 white.
        evidence: float32 (size, size), 1 in the parts of the face whose action units differ from rest, 0 outside, in
            between at the borders. A neutral face differs nowhere; its evidence is that brows, eyes and mouth lie as at
            rest, so these are marked. What a face does *not* show (no open mouth) is evidence too; a mask cannot mark
            it. What the sticker covers is not evidence.
        parts: names of the marked parts, of forehead, frown, brows, eyes, nose, folds, cheeks, mouth, chin.
        emotion: the key of `EXPRESSIONS` that was drawn; None for an expression of the caller's own.
        sticker: float32 (size, size), 1 where the sticker is; None without one.
    """

    image: np.ndarray
    evidence: np.ndarray
    parts: tuple[str, ...]
    emotion: str | None = None
    sticker: np.ndarray | None = None


def vary(expression: Expression, seed: int | tuple[int, ...] | None) -> Variation:
    """Everything that a seed decides; None gives the expression as it is, on the default person.

    Person, pose and scene depend on the seed alone: one seed is one person in every expression. Raises ValueError for a
    negative seed.
    """
    if seed is None:
        return Variation(expression, Person(), Pose(), Scene())
    if min(np.atleast_1d(seed)) < 0:
        raise ValueError(f"seed={seed}: choose a whole number from 0 up")
    rng = np.random.default_rng(seed)
    person = Person(*_drawn_from(_PERSON_RANGES, rng))
    person = replace(person, hair=min(person.hair, person.skin - 0.25))
    pose = Pose(*_drawn_from(_POSE_RANGES, rng), mirrored=bool(rng.random() < 0.5))
    scene = Scene(*_drawn_from(_SCENE_RANGES, rng), seed=int(rng.integers(2**31)))
    strengths = {f.name: getattr(expression, f.name) * float(rng.uniform(*_STRENGTHS)) for f in fields(expression)}
    return Variation(Expression(**strengths), person, pose, scene)


def _drawn_from(ranges: tuple[tuple[float, float], ...], rng: np.random.Generator) -> list[float]:
    return [float(rng.uniform(low, high)) for low, high in ranges]


def render(
    expression: Expression | str,
    person: Person | None = None,
    pose: Pose | None = None,
    scene: Scene | None = None,
    size: int = 48,
    sticker: str | None = None,
) -> DrawnFace:
    """Draw a face of one's own making.

    Args:
        expression: action units, or a key of `EXPRESSIONS`.
        person: the person whose face it is; None: the default one, as for pose and scene.
        pose: orientation of the head.
        scene: background, light and grain.
        size: side of the image in pixels, at least 8.
        sticker: a key of `STICKERS`; None draws none.

    Raises:
        ValueError: the emotion or the sticker is not known, or the size is too small.
    """
    emotion = expression if isinstance(expression, str) else None
    units = expression_of(expression) if isinstance(expression, str) else expression
    made = Variation(units, person or Person(), pose or Pose(), scene or Scene())
    return render_variation(made, size, sticker, emotion=emotion)


def draw(
    emotion: str, size: int = 48, seed: int | tuple[int, ...] | None = None, sticker: str | None = None
) -> DrawnFace:
    """Draw an emotion by a seed, which decides all else; None draws the default person. Raises as `render` does."""
    return render_variation(vary(expression_of(emotion), seed), size, sticker, emotion=emotion)


def draw_face(emotion: str, size: int = 48, seed: int | None = None) -> np.ndarray:
    """Draw one gray face: the image alone, without its mask.

    Args:
        emotion: a key of `EXPRESSIONS`.
        size: side of the image in pixels, at least 8.
        seed: None draws the default person, upright; a number draws another person, pose and scene and varies the
            strength of the expression.

    Returns:
        uint8 array of shape (size, size), 0 black to 255 white; equal arguments give equal pixels.

    Raises:
        ValueError: the emotion is not known, the size is too small or the seed negative.
    """
    expression = expression_of(emotion)
    check(size, sticker=None)
    return _image(vary(expression, seed), size)


def render_variation(
    made: Variation, size: int, sticker: str | None, emotion: str | None, oversampling: int = 8
) -> DrawnFace:
    """The image and its masks; `oversampling`: how many times as large it is drawn before it is reduced."""
    check(size, sticker)
    side, parts = _canvas_side(size, oversampling), moved_parts(made.person, made.expression)
    polygons = [polygon for part in parts.values() for polygon in part]
    evidence, covered = mask(polygons, made.pose, side, size) / np.float32(255), None
    if sticker is not None:
        covered = mask([star(STICKERS[sticker])], made.pose, side, size) / np.float32(255)
        evidence = evidence * (1 - covered)
    image = _image(made, size, sticker, oversampling)
    return DrawnFace(image, evidence, tuple(parts), emotion, covered)


def _image(made: Variation, size: int, sticker: str | None = None, oversampling: int = 8) -> np.ndarray:
    canvas = Canvas(_canvas_side(size, oversampling), made.pose, made.scene)
    paint_face(canvas, made.person, made.expression)
    if sticker is not None:
        paint_star(canvas, STICKERS[sticker])
    return canvas.reduced(size)


def _canvas_side(size: int, oversampling: int = 8) -> int:
    """Drawn several times as large for small images, never less than twice: reducing it is the anti-aliasing."""
    return min(oversampling * size, max(768, 2 * size))


def expression_of(emotion: str) -> Expression:
    """The expression of an emotion; ValueError if it is not a key of `EXPRESSIONS`."""
    if emotion not in EXPRESSIONS:
        raise ValueError(f'emotion="{emotion}" cannot be drawn; choose one of {", ".join(EXPRESSIONS)}')
    return EXPRESSIONS[emotion]


def check(size: int, sticker: str | None) -> None:
    """Raise ValueError for an image that is too small, or an unknown sticker."""
    if size < 8:
        raise ValueError(f"size={size}: a drawn face needs at least 8 pixels a side")
    if sticker is not None and sticker not in STICKERS:
        raise ValueError(f'sticker="{sticker}" does not exist; choose one of {", ".join(STICKERS)}')
