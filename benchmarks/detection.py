"""Face detection on hard variants of two photographs, on groups, and where there is no face, beside OpenCV's cascade.

    python benchmarks/detection.py

Fifteen variants of each photograph: turned, with a face of 12 to 57 pixels, dark, noisy, blurred, of low contrast,
compressed, with a mask, with sunglasses. A face counts as found where the center of a box lies within half a side of
the face's; other boxes are false. The rival is the frontal cascade `alt2` (Viola and Jones 2001), upright and, where
that is in doubt, on turned copies. One thread. Limits: 29 of 30 found, none false, every face of the groups found.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter
from skimage import data

from workbench import faces

Center = tuple[float, float, float]
"""x, y and side of a face in pixels."""
FACES: dict[str, Center] = {"astronaut": (224, 116, 119), "grace_hopper": (268, 218, 229)}
WITHOUT = (
    *("brick", "cat", "clock", "coffee", "colorwheel", "grass", "gravel", "horse", "hubble_deep_field"),
    *("immunohistochemistry", "logo", "moon", "page", "retina", "rocket", "text"),
)


def variants(name: str) -> Iterator[tuple[str, Image.Image, list[Center]]]:
    """(what it is, image, its faces)"""
    photo, (x, y, side) = faces.sample_picture(name), FACES[name]
    for degrees in (15, 30, 45, 90, 180):
        turned = photo.rotate(degrees, Image.Resampling.BICUBIC, expand=True)
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        dx, dy = x - photo.width / 2, y - photo.height / 2
        center = turned.width / 2 + dx * cos + dy * sin, turned.height / 2 - dx * sin + dy * cos
        yield f"turned by {degrees}°", turned, [(*center, side)]
    for pixels in (12, 20, 32, 57):
        f = pixels / side
        small = photo.resize((round(photo.width * f), round(photo.height * f)), Image.Resampling.LANCZOS)
        yield f"face of {pixels} px", small, [(x * f, y * f, pixels)]
    noise = np.random.default_rng(0).normal(0, 40, np.asarray(photo).shape)
    changed = {
        "dark": ImageEnhance.Brightness(photo).enhance(0.15),
        "noise, σ 40": Image.fromarray(np.clip(np.asarray(photo) + noise, 0, 255).astype(np.uint8)),
        "blur, σ 1/16 of the face": photo.filter(ImageFilter.GaussianBlur(side / 16)),
        "low contrast": ImageEnhance.Contrast(photo).enhance(0.2),
        "mask": covered(photo, (x - 0.4 * side, y + 0.02 * side, x + 0.4 * side, y + 0.5 * side), (120, 170, 200)),
        "sunglasses": covered(
            photo, (x - 0.36 * side, y - 0.22 * side, x + 0.36 * side, y - 0.02 * side), (10, 10, 10)
        ),
    }
    for title, picture in changed.items():
        yield title, picture, [(x, y, side)]


def covered(photo: Image.Image, box: tuple[float, ...], color: tuple[int, int, int]) -> Image.Image:
    """The photograph with a rounded rectangle over it."""
    photo = photo.copy()
    ImageDraw.Draw(photo).rounded_rectangle(box, (box[3] - box[1]) / 3, fill=color)
    return photo


def group(people: int, rows: int, pixels: int) -> tuple[Image.Image, list[Center]]:
    """A picture of 4032×3024 pixels with faces of that many pixels in rows."""
    photo, (x, y, side) = faces.sample_picture("astronaut"), FACES["astronaut"]
    f, (left, top) = pixels / side, (100, 0)
    person = photo.crop((left, top, 370, 330)).resize((round(270 * f), round(330 * f)), Image.Resampling.LANCZOS)
    picture, found = Image.new("RGB", (4032, 3024), (104, 116, 120)), []
    for i in range(people):
        across = people // rows
        at = 150 + i % across * 3732 // across, 300 + i // across * pixels * 4
        picture.paste(person, at)
        found.append((at[0] + (x - left) * f, at[1] + (y - top) * f, pixels))
    return picture, found


def faceless() -> Iterator[tuple[str, Image.Image, list[Center]]]:
    for name in WITHOUT:
        pixels = getattr(data, name)()
        pixels = pixels if pixels.dtype == np.uint8 else np.uint8(pixels * 255)
        yield name, Image.fromarray(pixels).convert("RGB"), []
    for name, (x, y, side) in FACES.items():  # shoulders and folds of cloth
        photo = covered(
            faces.sample_picture(name), (x - side, y - side, x + 0.7 * side, y + 0.6 * side), (90, 110, 120)
        )
        for degrees in (0, 90, 180):
            yield f"{name} without the head, turned by {degrees}°", photo.rotate(degrees, expand=True), []


def cascade(picture: Image.Image) -> list[Center]:
    """Squares of OpenCV's cascade on an upright copy and, where they have few votes, on turned ones."""
    gray = np.asarray(picture.convert("L"))
    found = squares(gray, 0, 560, 6)
    if all(votes < 20 for votes, *_ in found):
        found += [hit for turn in (-15, 15, -30, 30, -45, 45, -90, 90, 180) for hit in squares(gray, turn, 320, 8)]
    kept: list[Center] = []
    for _, x, y, side in sorted(found, reverse=True):
        if all(math.dist((x, y), other[:2]) > max(side, other[2]) / 2 for other in kept):
            kept.append((x, y, side))
    return kept


_CASCADE = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")


def squares(gray: np.ndarray, turn: int, longer: int, votes: int) -> list[tuple[int, float, float, float]]:
    """(votes, x, y, side) on the image of what the cascade finds in a turned copy."""
    height, width = gray.shape
    scale = min(longer / max(height, width), 4.0)
    canvas = round(1.25 * math.hypot(height, width) * scale if turn else 1.25 * max(height, width) * scale)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
    matrix[:, 2] += canvas / 2 - width / 2, canvas / 2 - height / 2
    copy = cv2.warpAffine(cv2.equalizeHist(gray), matrix, (canvas, canvas), borderMode=cv2.BORDER_REPLICATE)
    boxes, counts = _CASCADE.detectMultiScale2(copy, 1.1, votes, minSize=(max(20, canvas // 20),) * 2)
    back = cv2.invertAffineTransform(matrix)
    return [
        (int(n), *(float(v) for v in back @ (x + w / 2, y + w / 2, 1)), w / scale)
        for (x, y, w, _), n in zip(np.reshape(boxes, (-1, 4)), np.ravel(counts), strict=True)
    ]


def ours(picture: Image.Image) -> list[Center]:
    return [(*box.center, box.side) for box in faces.detect(picture)]


def measured(
    detector: Callable[[Image.Image], list[Center]], cases: list[tuple[str, Image.Image, list[Center]]]
) -> tuple[int, int, float, list[str]]:
    """Faces found, false boxes, milliseconds a picture, and what failed."""
    found, false, seconds, failed = 0, 0, 0.0, []
    for title, picture, there in cases:
        start = time.perf_counter()
        boxes = detector(picture)
        seconds += time.perf_counter() - start
        hit = {
            i for x, y, _ in boxes for i, (cx, cy, side) in enumerate(there) if math.dist((x, y), (cx, cy)) < side / 2
        }
        found, false = found + len(hit), false + max(0, len(boxes) - len(hit))
        if len(hit) < len(there) or len(boxes) > len(hit):
            failed.append(f"{title}: {len(hit)} of {len(there)}, {len(boxes) - len(hit)} false")
    return found, false, 1000 * seconds / len(cases), failed


def main() -> None:
    cv2.setNumThreads(1)
    ours(faces.sample_picture("astronaut"))
    hard = [(f"{name}, {title}", *rest) for name in FACES for title, *rest in variants(name)]
    groups = [
        (f"{n} people, {pixels} px", *group(n, rows, pixels))
        for n, rows, pixels in ((5, 1, 260), (24, 3, 150), (24, 3, 81))
    ]
    print(f"{'':34} {'YuNet':>26} {'cascade':>26}  ratio of time")
    for title, cases in (("30 hard variants", hard), ("groups", groups), ("pictures without a face", list(faceless()))):
        there = sum(len(case[2]) for case in cases)
        results = [measured(detector, cases) for detector in (ours, cascade)]
        cells = [f"{found} of {there}, {false} false, {ms:.0f} ms" for found, false, ms, _ in results]
        print(f"{title:34} {cells[0]:>26} {cells[1]:>26}  {results[0][2] / results[1][2]:.2f}")
        for line in results[0][3]:
            print(f"    YuNet: {line}")


if __name__ == "__main__":
    main()
