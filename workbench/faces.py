"""Decode images safely, detect faces, and crop them with the framing of FER2013.

`read` decodes an untrusted file, `detect` returns all detected faces, `crop` cuts out a square and rotates it upright,
and `Face.gray` is the input of a network. Nothing here needs a network connection, Streamlit or torch; drawn samples
are made by `models.datasets.synthetic.faces` on request.
"""

from __future__ import annotations

import hashlib
import io
import math
import threading
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from importlib import resources

import cv2
import numpy as np
from PIL import Image, ImageOps

from models.images import open_image

MAX_BYTES = 25 * 1024**2
MAX_PIXELS = 25_000_000
MIN_SIDE = 8  # pixels; below this there is no face to see
MAX_FACE_SIDE = 512  # pixels; larger crops are reduced, the networks take 48 to 224

# How FER2013 frames a face, relative to the square that the cascade finds. Measured on 1500 Training images, enlarged
# four times, with their borders replicated (benchmarks/face_framing.py): in the 1065 that the cascade found, the median
# square is 0.974 of the frame wide and its center 0.008 of the frame above the frame's center.
_FRAME_PER_SQUARE = 1 / 0.974
_FRAME_BELOW_SQUARE = 0.008  # of the frame's side, towards the chin

_CASCADE_LOCK = threading.Lock()  # a CascadeClassifier keeps the image it works on: one thread at a time


class PictureError(ValueError):
    """An image that cannot be used; the message says what to do."""


# ------------------------------------------------------------------------------------------------ reading


def read(data: bytes) -> Image.Image:
    """Decode a JPEG, PNG or WebP file to an upright RGB image.

    The EXIF orientation is applied, transparent parts become white, 16-bit gray is scaled to 8 bits, and of an animated
    image the first frame is taken. Size and format are checked before any pixel is decoded.

    Raises:
        PictureError: not such a file, damaged, over 25 MB, over 25 megapixels, or a side under 8 pixels.
    """
    _check_bytes(data)
    try:
        with open_image(io.BytesIO(data)) as image:
            _check_size(image.width, image.height)
            return _to_rgb(_turned_upright(image))
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large() from error
    except Exception as error:  # broken files make Pillow raise nearly anything: OSError, struct.error, MemoryError …
        raise PictureError(
            "This image is damaged or incomplete. Save or send it again, or take a photo with the camera."
        ) from error


def _check_bytes(data: bytes) -> None:
    if not data:
        raise PictureError("This file is empty. Choose another image, or take a photo with the camera.")
    if len(data) > MAX_BYTES:
        raise PictureError("This file is larger than 25 MB. Save a smaller image, or take a photo with the camera.")
    is_jpeg, is_png = data.startswith(b"\xff\xd8\xff"), data.startswith(b"\x89PNG\r\n\x1a\n")
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    if not (is_jpeg or is_png or is_webp):
        kind = _kind_of_other(data)
        raise PictureError(f"This is {kind}not a JPEG, PNG or WebP image. Convert it, or take a photo with the camera.")
    if is_webp and math.prod(_webp_size(data)) > MAX_PIXELS:
        raise _too_large()


def _kind_of_other(data: bytes) -> str:
    """Name the formats that people try most, so that they know what to convert."""
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "a GIF, "
    return "an HEIC or AVIF photo, " if data[4:8] == b"ftyp" else ""


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height from a WebP header, because Pillow's decoder reserves its canvas while opening the file."""
    chunk, header = data[12:16], data[20:30].ljust(10, b"\0")
    if chunk == b"VP8X":
        return int.from_bytes(header[4:7], "little") + 1, int.from_bytes(header[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(header[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(header[6:8], "little") & 0x3FFF, int.from_bytes(header[8:10], "little") & 0x3FFF


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _too_large()
    if min(width, height) < MIN_SIDE:
        raise PictureError(f"This image is only {width}×{height} pixels. Choose one of at least 8×8 pixels.")


def _too_large() -> PictureError:
    return PictureError("This image has more than 25 megapixels. Save it smaller, or take a photo with the camera.")


def _turned_upright(image: Image.Image) -> Image.Image:
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # pixels that decoded are worth more than metadata that did not
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that the three formats can have, as RGB on white."""
    if image.mode.startswith("I"):  # 16-bit gray: Pillow's own conversion would clip at 255
        values = np.asarray(image).astype(np.float32) / 257
        return Image.fromarray(np.clip(values + 0.5, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


# ------------------------------------------------------------------------------------------------ finding


@dataclass(frozen=True)
class Box:
    """A rectangle on an image, in pixels of the upright image that `read` returns; it may reach beyond the border.

    Attributes:
        left, top: the upper left corner before the rectangle is turned.
        width, height: its sides.
        angle: degrees by which it is turned about its center, counter-clockwise on the screen, in (-180, 180].
    """

    left: float
    top: float
    width: float
    height: float
    angle: float = 0.0

    @property
    def area(self) -> float:
        """Square pixels."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """(x, y)."""
        return self.left + self.width / 2, self.top + self.height / 2

    @property
    def side(self) -> float:
        """Side of the square that `crop` cuts out: the longer one."""
        return max(self.width, self.height)

    @property
    def corners(self) -> tuple[tuple[float, float], ...]:
        """The four corners (x, y) on the image in drawing order, beginning at the face's upper left one."""
        x, y = self.centre
        cos, sin = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        offsets = [(sx * self.width / 2, sy * self.height / 2) for sx, sy in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        return tuple((x + dx * cos + dy * sin, y - dx * sin + dy * cos) for dx, dy in offsets)


@dataclass(frozen=True)
class _Look:
    """One pass of the cascade over a copy of the image.

    Attributes:
        side: longer side of the copy before it gets its margin and is turned, in pixels.
        turn: degrees by which the copy is turned, counter-clockwise.
        margin: border added on each side, as a share of the longer side.
        votes: how many overlapping hits make a face; a turned copy gives noise another chance, so it needs more.
        smallest: side of the smallest face that is looked for, as a share of the copy's longer side.
    """

    side: int
    turn: float = 0.0
    margin: float = 0.0
    votes: int = 6
    smallest: float = 0.05


# Upright first; then, unless a face was found beyond doubt, tilted heads and lying cameras. The margin is for images
# that a face fills: without it the cascade's square cannot be as large as the face.
_UPRIGHT = _Look(margin=0.125, side=560)
_TURNED = tuple(_Look(turn=turn, side=320, votes=8) for turn in (-15, 15, -30, 30, -45, 45, -90, 90, -180))
_SURE = 20  # votes; most faces get 20 to 80, folds of cloth seen upside down up to 15, noise up to 12

# In a camera's image: the whole frame for one face near the camera, then only the surroundings of where it was.
_IN_FRAME = _Look(margin=0.0625, side=320, smallest=0.1)
_AROUND_LAST = _Look(side=96, votes=4, smallest=0.35)
_SURROUNDINGS = 2.0  # side of the region around the last box, in sides of that box


def detect(picture: Image.Image) -> list[Box]:
    """Every face in the image, largest first; an empty list when none is found.

    OpenCV's frontal cascade (Viola and Jones, 2001; the `alt2` tree) on an equalised gray copy. When it finds nothing
    or is in doubt, it looks again at rotated copies, whose boxes are mapped back to the image. A head that is tilted
    by more than about 60 degrees, but not lying, is not found.

    Returns:
        Squares with whole pixels, already framed as FER2013 frames faces: hand them to `crop` as they are.
    """
    gray = picture.convert("L")
    hits = _hits(gray, _UPRIGHT)
    if all(votes < _SURE for votes, _ in hits):
        hits += [hit for look in _TURNED for hit in _hits(gray, look)]
    return sorted(_merged(hits), key=lambda box: (-box.area, box.left, box.top))


class Follower:
    """Finds the face in each frame of a camera, quickly: first where it was a frame ago, then in the whole frame.

    For one camera and one thread; of several faces it stays with the one that it found first.
    """

    def __init__(self) -> None:
        self._last: Box | None = None

    def find(self, frame: Image.Image) -> Box | None:
        """The face in the next frame, framed as `detect` does; None where there is none."""
        hits = self._near(frame) or _hits(frame.convert("L"), _IN_FRAME)
        self._last = max(hits, key=lambda hit: hit[0])[1] if hits else None
        return self._last

    def _near(self, frame: Image.Image) -> list[tuple[int, Box]]:
        if self._last is None:
            return []
        (x, y), half = self._last.centre, self._last.side * _SURROUNDINGS / 2
        left, top = max(0, round(x - half)), max(0, round(y - half))
        right, bottom = min(frame.width, round(x + half)), min(frame.height, round(y + half))
        if min(right - left, bottom - top) < MIN_SIDE:
            return []
        region = frame.crop((left, top, right, bottom)).convert("L")
        found = _hits(region, _AROUND_LAST)
        return [(votes, replace(box, left=box.left + left, top=box.top + top)) for votes, box in found]


def cascade_squares(gray: np.ndarray, smallest: int, votes: int = 6) -> list[tuple[int, float, float, float]]:
    """What the cascade alone says of a gray uint8 image (H, W), before any framing.

    Returns:
        (votes, x of the center, y of the center, side) in pixels for each square, most votes first.
    """
    with _CASCADE_LOCK:
        squares, counts = _cascade().detectMultiScale2(gray, 1.1, votes, minSize=(smallest, smallest))
    pairs = zip(np.reshape(squares, (-1, 4)).tolist(), np.ravel(counts).tolist(), strict=True)
    return sorted(((votes, x + w / 2, y + w / 2, float(w)) for (x, y, w, _), votes in pairs), reverse=True)


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier:
    return cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")


def _hits(gray: Image.Image, look: _Look) -> list[tuple[int, Box]]:
    """(votes, box on the image) for each face that one pass finds."""
    scale = min(look.side / max(gray.size), 4.0)  # small images are enlarged: the cascade's window is 20 pixels
    small = gray.resize([max(1, round(n * scale)) for n in gray.size], Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels = cv2.equalizeHist(np.asarray(small))
    matrix, size = _turning(small.size, look)
    copy = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    back = cv2.invertAffineTransform(matrix)
    hits = []
    for votes, x, y, side in cascade_squares(copy, max(20, round(look.smallest * max(size))), look.votes):
        frame = side * _FRAME_PER_SQUARE
        x, y = back @ (x, y + _FRAME_BELOW_SQUARE * frame, 1)
        hits.append((votes, _square(x / scale, y / scale, frame / scale, 0.0 - look.turn)))
    return hits


def _turning(size: tuple[int, int], look: _Look) -> tuple[np.ndarray, tuple[int, int]]:
    """The affine matrix (2, 3) of a look, and the size (width, height) of the canvas that holds the turned copy."""
    width, height = size
    cos, sin = abs(math.cos(math.radians(look.turn))), abs(math.sin(math.radians(look.turn)))
    margin = 2 * look.margin * max(size)
    canvas = round(width * cos + height * sin + margin), round(width * sin + height * cos + margin)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), look.turn, 1.0)
    matrix[:, 2] += (canvas[0] - width) / 2, (canvas[1] - height) / 2
    return matrix, canvas


def _square(x: float, y: float, side: float, angle: float) -> Box:
    """The square in whole pixels round a center."""
    side = max(1, round(side))
    return Box(round(x - side / 2), round(y - side / 2), side, side, float(angle))


def _merged(hits: list[tuple[int, Box]]) -> list[Box]:
    """One box for each face, from the hits of all looks, those with most votes first.

    Of boxes whose centers lie within half a side of each other one stays; that also drops a mouth or a collar that
    passed for a small face. A hit that stands at another angle than the strongest one needs 60 % of its votes: upside
    down, a shoulder can look like a face.
    """
    kept: list[Box] = []
    hits = sorted(hits, key=lambda hit: (-hit[0], -hit[1].side, hit[1].left, hit[1].top, hit[1].angle))
    for votes, box in hits:
        likely = box.angle == hits[0][1].angle or votes >= 0.6 * hits[0][0]
        if likely and all(math.dist(box.centre, other.centre) > max(box.side, other.side) / 2 for other in kept):
            kept.append(box)
    return kept


def whole(picture: Image.Image) -> Box:
    """The largest centred square: where a crop by hand starts, and the face when none was found."""
    side = min(picture.size)
    return Box((picture.width - side) // 2, (picture.height - side) // 2, side, side)


# ------------------------------------------------------------------------------------------------ cutting out


@dataclass(frozen=True, eq=False)
class Face:
    """A square RGB image of one face.

    Attributes:
        picture: the crop at its own resolution, at most 512 pixels a side.
        box: where it was cut out; None when the image was a face to begin with.
    """

    picture: Image.Image
    box: Box | None = None

    def gray(self, size: int) -> np.ndarray:
        """What a network sees: uint8 (size, size), luminance (ITU-R BT.601), reduced without aliasing (Lanczos)."""
        return np.asarray(self.picture.convert("L").resize((size, size), Image.Resampling.LANCZOS)).copy()

    def rgb(self, size: int) -> np.ndarray:
        """The face in color: uint8 (size, size, 3), reduced without aliasing (Lanczos)."""
        return np.asarray(self.picture.convert("RGB").resize((size, size), Image.Resampling.LANCZOS)).copy()

    @cached_property
    def key(self) -> str:
        """Hex digest of the pixels: equal for equal images, fit as the key of a cache."""
        return hashlib.sha256(f"{self.picture.size}".encode() + self.picture.tobytes()).hexdigest()


def crop(picture: Image.Image, box: Box) -> Face:
    """Cut out the square round the center of `box` whose side is the box's longer one, and turn it upright.

    A square box of whole pixels is cut out exactly as given; parts outside of the image repeat its border.

    Raises:
        PictureError: the box has no area or lies outside of the image.
    """
    _check_box(picture, box)
    (x, y), side = box.centre, box.side
    factor = max(1, int(side / (2 * MAX_FACE_SIDE)))  # reduce first: a large box must not cost a large image
    if factor > 1:
        picture = picture.reduce(factor)
        x, y, side = x / factor, y / factor, side / factor
    pixels = np.asarray(picture.convert("RGB"))
    cut = _cut(pixels, x, y, side) if box.angle % 360 == 0 else _cut_turned(pixels, x, y, side, box.angle)
    cut.thumbnail((MAX_FACE_SIDE, MAX_FACE_SIDE), Image.Resampling.LANCZOS)
    return Face(cut, box)


def _check_box(picture: Image.Image, box: Box) -> None:
    if not (math.isfinite(box.area) and math.isfinite(box.angle) and min(box.width, box.height) >= 1):
        raise PictureError("This box is empty. Draw a box of at least one pixel around the face.")
    (x, y), half = box.centre, box.side / 2
    if not (-half < x < picture.width + half and -half < y < picture.height + half):
        raise PictureError("This box is outside of the image. Draw it around the face.")


def _cut(pixels: np.ndarray, x: float, y: float, side: float) -> Image.Image:
    """The upright square of whole pixels round (x, y) of (H, W, 3); indices are clipped, which repeats the border."""
    n = max(1, round(side))
    rows = np.clip(round(y - n / 2) + np.arange(n), 0, pixels.shape[0] - 1)
    columns = np.clip(round(x - n / 2) + np.arange(n), 0, pixels.shape[1] - 1)
    return Image.fromarray(pixels[rows[:, None], columns])


def _cut_turned(pixels: np.ndarray, x: float, y: float, side: float, angle: float) -> Image.Image:
    """The square that is turned by `angle`: cut a larger upright one, turn it back, cut its middle."""
    n = max(1, round(side))
    margin = math.ceil(n * (math.sqrt(2) - 1) / 2) + 1
    upright = _cut(pixels, x, y, n + 2 * margin).rotate(-angle, Image.Resampling.BICUBIC)
    return upright.crop((margin, margin, margin + n, margin + n))


# ------------------------------------------------------------------------------------------------ samples

_DRAWN = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")  # the emotions of FER2013


@dataclass(frozen=True)
class Sample:
    """A face that comes with the workbench.

    Attributes:
        name: what `load_sample` takes.
        title: a few words for a list.
        credit: source and licence in one line.
    """

    name: str
    title: str
    credit: str


_SAMPLES = (
    Sample("astronaut", "Astronaut (Eileen Collins)", "Photograph: NASA, public domain; from scikit-image."),
    Sample(
        "grace_hopper",
        "Rear admiral (Grace Hopper)",
        "Photograph: James S. Davis, United States Navy, public domain; from matplotlib.",
    ),
    *(
        Sample(
            f"drawn_{e}",
            f"Drawn face: {e}",
            f"Drawn by FERScope to look {e}, Apache-2.0. A network trained on photographs may predict another class.",
        )
        for e in _DRAWN
    ),
)


def samples() -> tuple[Sample, ...]:
    """The faces that need no upload, always in the same order; the first is the default."""
    return _SAMPLES


@lru_cache(maxsize=32)
def sample_picture(name: str) -> Image.Image:
    """The whole RGB image of a sample, for drawing its box on; copy it before changing it.

    Raises:
        PictureError: there is no such sample; the message lists the names.
    """
    if name not in {sample.name for sample in _SAMPLES}:
        names = ", ".join(sample.name for sample in _SAMPLES)
        raise PictureError(f'"{name}" is not a sample. Choose one of {names}.')
    if name == "astronaut":
        # The file itself, because skimage.data.astronaut() imports half of scikit-image.
        return read((resources.files("skimage") / "data" / "astronaut.png").read_bytes())
    if name == "grace_hopper":
        from matplotlib import cbook

        with cbook.get_sample_data("grace_hopper.jpg") as file:
            return read(file.read())
    from models.datasets.synthetic.faces import draw_face

    return Image.fromarray(draw_face(name.removeprefix("drawn_"), size=480)).convert("RGB")


@lru_cache(maxsize=32)
def load_sample(name: str) -> Face:
    """The face of a sample: the largest one found in a photograph, the whole of a drawing (its `box` is None).

    Raises:
        PictureError: there is no such sample; the message lists the names.
    """
    picture = sample_picture(name)
    return Face(picture) if name.startswith("drawn_") else crop(picture, detect(picture)[0])
