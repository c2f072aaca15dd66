"""Drawing on a gray canvas: polygons of a head, however it is turned, become pixels with smooth edges.

The idea: every part of a face is a polygon with a soft edge, in the coordinates of the head. A pose moves the points
before they are painted, so edges stay smooth however the head is turned, and a mask made from polygons (`mask`) fits
the image to the pixel. All is painted several times as large as it is handed out; the reduction is the anti-aliasing.

Coordinates run over the whole head: (0, 0) is the top left corner, (1, 1) the bottom right one. The image shows the
middle of it, so that the face fills the frame as in FER2013: eyes at about 0.38, mouth at about 0.8 of the height.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter


@dataclass(frozen=True)
class Pose:
    """Pose of the head relative to the camera; the default is upright, frontal and centered.

    Attributes:
        turn: degrees in the plane of the image, clockwise.
        yaw: degrees about the neck; positive: towards the right of the image. Made for up to about 20.
        right: shift to the right, as a share of the image's side.
        down: shift downwards, as a share of the image's side.
        zoom: factor on the size.
        mirrored: flip horizontally, the light with it.
    """

    turn: float = 0.0
    yaw: float = 0.0
    right: float = 0.0
    down: float = 0.0
    zoom: float = 1.0
    mirrored: bool = False


@dataclass(frozen=True)
class Scene:
    """Background, light and camera: gray tones in 0..1.

    Attributes:
        background: tone behind the head.
        slope: how much brighter the background is at the right edge than at the left one; negative: darker.
        blobs: strength of soft bright and dark blobs in the background.
        light: where the light comes from, -1 (left of the head) to 1 (right).
        light_height: how far from above, 0 (from the front) to 1.
        shading: how much of the light has a direction; the rest is the same everywhere.
        grain: standard deviation of the camera's noise.
        seed: decides where blobs and grains lie.
    """

    background: float = 0.42
    slope: float = 0.0
    blobs: float = 0.0
    light: float = -0.5
    light_height: float = 0.55
    shading: float = 0.46
    grain: float = 0.0
    seed: int = 0


# ------------------------------------------------------------------------------------------------ from head to pixels

_ZOOM = 1.1  # the cascade of workbench.faces then finds a square like FER2013's in the drawings
_DEPTH = 0.26  # depth of the face's middle relative to its edge
_CURVATURE = np.array([1 / 0.42**2, 1 / 0.68**2])  # of the face from left to right, and from above to below


def to_pixels(points: np.ndarray, pose: Pose, side: int) -> np.ndarray:
    """Points (n, 2) of the head as (x, y) in pixels of a canvas of that side."""
    centered = points - 0.5
    if pose.mirrored:
        centered[:, 0] *= -1
    if pose.yaw:  # a paraboloid turns about its axis: the middle moves most, the edge stays
        yaw = math.radians(pose.yaw)
        forward = np.maximum(1 - centered**2 @ _CURVATURE, 0)
        centered[:, 0] = centered[:, 0] * math.cos(yaw) + forward * (_DEPTH * math.sin(yaw))
    if pose.turn:
        centered = centered @ _turning(pose.turn)
    return (centered * (_ZOOM * pose.zoom) + (0.5 + pose.right, 0.5 + pose.down)) * side


def from_pixels(pose: Pose, side: int) -> tuple[np.ndarray, np.ndarray]:
    """x and y on the head, each (side, side), of every pixel's middle; yaw left aside."""
    v, u = (np.mgrid[:side, :side] + 0.5) / side - 0.5
    u, v = (u - pose.right) / (_ZOOM * pose.zoom), (v - pose.down) / (_ZOOM * pose.zoom)
    (cos, sin), _ = _turning(pose.turn)
    return (-1 if pose.mirrored else 1) * (u * cos + v * sin) + 0.5, v * cos - u * sin + 0.5


@lru_cache(maxsize=64)
def _turning(degrees: float) -> np.ndarray:
    """The matrix (2, 2) that turns points (n, 2) clockwise when they are multiplied by it."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cos, sin], [-sin, cos]])


def mask(polygons: list[np.ndarray], pose: Pose, side: int, size: int) -> np.ndarray:
    """Coverage of each pixel by the polygons (n, 2), 0..255: uint8 (size, size)."""
    image = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(image)
    for points in polygons:
        draw.polygon(to_pixels(points, pose, side).ravel().tolist(), fill=255)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX)).copy()


class Canvas:
    """A gray image of values 0..1 that is painted on with soft-edged polygons, in the head's coordinates."""

    def __init__(self, side: int, pose: Pose, scene: Scene) -> None:
        self.side, self.pose, self.scene = side, pose, scene
        self.pixels = _backdrop(side, scene)

    def fill(self, points: np.ndarray, tone: float | np.ndarray, blur=0.0, opacity=1.0, inside=None) -> None:
        """Paint the polygon of `points` (n, 2).

        `tone` is one value or an array of the canvas's shape, `blur` the width of the soft edge, and `inside` another
        polygon that clips it. Only the window that the polygon touches is worked on, which is what makes this fast.
        """
        if opacity <= 0:
            return
        pixels = to_pixels(points, self.pose, self.side)
        low, high = self._window(pixels, 3 * blur * self.side)
        if high[0] <= low[0] or high[1] <= low[1]:
            return
        image = _polygon(pixels, low, high)
        if inside is not None:
            image = ImageChops.multiply(image, _polygon(to_pixels(inside, self.pose, self.side), low, high))
        if blur > 0:
            image = image.filter(ImageFilter.GaussianBlur(blur * self.side))
        window = np.s_[low[1] : high[1], low[0] : high[0]]
        alpha = np.asarray(image, dtype=np.float32) * (min(opacity, 1.0) / 255)
        self.pixels[window] += alpha * ((tone[window] if isinstance(tone, np.ndarray) else tone) - self.pixels[window])

    def line(self, points: np.ndarray, width: float, tone: float, blur=0.0, opacity=1.0) -> None:
        """Paint a line that is `width` wide in its middle and thins towards both ends."""
        if opacity <= 0:
            return
        half = width / 2 * _taper(len(points))
        self.fill(band(points, half), tone, blur, opacity)

    def reduced(self, size: int) -> np.ndarray:
        """The image as uint8 (size, size), each pixel the mean of its area, with the camera's grain."""
        image = Image.fromarray((np.clip(self.pixels, 0, 1) * 255).round().astype(np.uint8))
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BOX)).copy()
        if self.scene.grain:
            noise = np.random.default_rng((self.scene.seed, 1)).normal(0, 255 * self.scene.grain, pixels.shape)
            pixels = (pixels + noise).round().clip(0, 255).astype(np.uint8)
        return pixels

    def _window(self, pixels: np.ndarray, margin: float) -> tuple[list[int], list[int]]:
        """Corners (x, y) of the part of the canvas that the polygon (n, 2) and its soft edge can reach."""
        low = [math.floor(value - margin) - 1 for value in pixels.min(0).tolist()]
        high = [math.ceil(value + margin) + 2 for value in pixels.max(0).tolist()]
        return [min(max(value, 0), self.side) for value in low], [min(max(value, 0), self.side) for value in high]


def _polygon(pixels: np.ndarray, low: list[int], high: list[int]) -> Image.Image:
    """The polygon (n, 2), white on black, in the window from `low` to `high`, each (x, y)."""
    image = Image.new("L", (high[0] - low[0], high[1] - low[1]), 0)
    ImageDraw.Draw(image).polygon((pixels - low).ravel().tolist(), fill=255)
    return image


def _backdrop(side: int, scene: Scene) -> np.ndarray:
    """The background, float32 (side, side): one tone, a slope from left to right, and soft blobs."""
    pixels = np.full((side, side), scene.background, dtype=np.float32)
    if scene.slope:
        pixels += np.linspace(-scene.slope / 2, scene.slope / 2, side, dtype=np.float32)
    if scene.blobs:
        grid = np.random.default_rng(scene.seed).normal(0, scene.blobs, (6, 6)).astype(np.float32)
        pixels += np.asarray(Image.fromarray(grid).resize((side, side), Image.Resampling.BICUBIC))
    return np.clip(pixels, 0.02, 0.98)


# ------------------------------------------------------------------------------------------------ lines


def band(points: np.ndarray, half: float | np.ndarray) -> np.ndarray:
    """The outline of a line (n, 2) that is twice `half` wide."""
    tangent = np.vstack([points[1] - points[0], (points[2:] - points[:-2]) / 2, points[-1] - points[-2]])
    tangent /= np.sqrt((tangent**2).sum(axis=1, keepdims=True)) + 1e-9
    offset = tangent[:, ::-1] * (1, -1) * np.reshape(half, (-1, 1))
    return np.vstack([points + offset, (points - offset)[::-1]])


@cache
def _taper(n: int) -> np.ndarray:
    """Widths (n,) of a line that thins towards both ends, 1 in its middle."""
    return np.sqrt(np.clip(np.sin(np.linspace(0, np.pi, n)), 0.02, 1))


_T = np.linspace(0, 1, 16, endpoint=False)[:, None]  # places on a curve between two of the points it is laid through


def curve(*points: tuple[float, float], closed: bool = False) -> np.ndarray:
    """A smooth line (n, 2) through the points: a Catmull-Rom spline."""
    p = np.asarray(points, dtype=float)
    p = np.vstack([p[-1:], p, p[:2]]) if closed else np.vstack([2 * p[0] - p[1], p, 2 * p[-1] - p[-2]])
    a, b, c, d = p[:-3, None], p[1:-2, None], p[2:-1, None], p[3:, None]
    pieces = 0.5 * (2 * b + (c - a) * _T + (2 * a - 5 * b + 4 * c - d) * _T**2 + (3 * b - a - 3 * c + d) * _T**3)
    return np.vstack([pieces.reshape(-1, 2), p[-2:-1]])


@cache
def circle(n: int = 96) -> np.ndarray:
    """Points (n, 2) of a circle of radius 1 round (0, 0)."""
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([np.cos(t), np.sin(t)], axis=1)


def ellipse(x: float, y: float, rx: float, ry: float) -> np.ndarray:
    """The outline (96, 2) of an ellipse round (x, y)."""
    return (x, y) + circle() * (rx, ry)


def mirrored(points: np.ndarray) -> np.ndarray:
    """The same part on the other side of the face."""
    return points * (-1, 1) + (1, 0)


def lowered(points: np.ndarray, dy: float) -> np.ndarray:
    """The same part, moved down by `dy`."""
    return points + np.array([0, dy])


# ------------------------------------------------------------------------------------------------ sticker


def star(center: tuple[float, float], radius: float = 0.06) -> np.ndarray:
    """A star of five points on the head: polygon (10, 2)."""
    angle = np.arange(10) * np.pi / 5 - np.pi / 2
    r = np.where(np.arange(10) % 2, 0.5 * radius, radius)
    return np.stack([center[0] + r * np.cos(angle), center[1] + r * np.sin(angle)], axis=1)


def paint_star(canvas: Canvas, center: tuple[float, float]) -> None:
    """A bright star with a dark rim; it is drawn over everything else."""
    canvas.fill(star(center), 0.08)
    canvas.fill(star(center, 0.05), 1.0)
