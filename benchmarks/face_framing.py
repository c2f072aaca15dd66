"""Measure how FER2013 frames a face, relative to the boxes of YuNet and to the square that OpenCV's cascade finds.

    FERSCOPE_FER2013=fer2013.tar.xz python benchmarks/face_framing.py [--only framing rotated crops]

FERSCOPE_FER2013 is the archive or the unpacked folder (train/<emotion>/Training_<id>.jpg). Training images are
enlarged and their borders replicated, so that a detector has room round the face. The medians of the cascade are the
constants in workbench/faces/cascade.py. YuNet's boxes are framed already, by the constants in workbench/faces/yunet.py:
centers of 0 and a side of 1 confirm them, at both scales. The quartiles show how loosely FER2013 is framed.

"rotated": accuracy on PublicTest images in their own frame, and cut out again by `detect` and `crop`, with upright
and with aligned boxes, as they are and rotated. "crops": accuracy on the 48-pixel images themselves, given as PNG files
to `faces.find`, which `ferscope explain` follows, beside the same pixels given to the network. Both need the imported
set (`ferscope data import`).
"""

from __future__ import annotations

import io
import os
import random
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
import tyro
from PIL import Image

from models.datasets import FaceSet
from models.paths import FER2013
from workbench import faces
from workbench.faces import cascade_squares, yunet
from workbench.services.networks import open_network

SAMPLE, SEED = 1500, 0
NETWORKS = ("residual_cnn", "efficientnet_lite0")
TESTED, ANGLES = 250, (0, 10, -20, 30)
CROPS = 399


@dataclass(frozen=True)
class Options:
    """Options of the command line."""

    only: tuple[Literal["framing", "rotated", "crops"], ...] = ("framing", "rotated", "crops")


def training_pictures(source: Path) -> Iterator[tuple[str, bytes]]:
    """(name, JPEG bytes) of every Training picture of an archive or a folder."""
    if source.is_dir():
        for path in source.rglob("Training_*.jpg"):
            yield path.name, path.read_bytes()
    else:
        with tarfile.open(source) as archive:
            for member in archive:
                if Path(member.name).name.startswith("Training_"):
                    yield Path(member.name).name, archive.extractfile(member).read()


def padded(jpeg: bytes, enlarge: int, equalize: bool = False) -> tuple[np.ndarray, int]:
    """The enlarged gray image with half a side of replicated border, and its side without the border."""
    gray = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    side = enlarge * gray.shape[0]
    large = cv2.resize(gray, (side, side), interpolation=cv2.INTER_CUBIC)
    large = cv2.equalizeHist(large) if equalize else large
    return cv2.copyMakeBorder(large, *[side // 2] * 4, cv2.BORDER_REPLICATE), side


def framing_of_cascade(jpeg: bytes, enlarge: int) -> tuple[float, float, float] | None:
    """Center x, center y and side of the cascade's square as shares of the frame; None where it finds nothing."""
    gray, side = padded(jpeg, enlarge, equalize=True)
    squares = cascade_squares(gray, smallest=side // 3)
    return (squares[0][1] / side - 1, squares[0][2] / side - 1, squares[0][3] / side) if squares else None


def framing_of_yunet(jpeg: bytes, enlarge: int) -> tuple[float, float, float] | None:
    """Center x, center y and side of YuNet's framed box as shares of the frame; None where it finds nothing."""
    gray, side = padded(jpeg, enlarge)
    boxes = yunet.find(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))
    if not boxes:
        return None
    x, y = boxes[0].center
    return x / side - 1, y / side - 1, boxes[0].side / side


def accuracy(network: str, images: list[np.ndarray], labels: np.ndarray) -> float:
    """Share of gray images that a network predicts as labeled, single view."""
    net = open_network(network)
    x = torch.cat([net.card.prepare(torch.from_numpy(np.stack(images[i : i + 50]))) for i in range(0, len(images), 50)])
    predicted = torch.cat([net.logits(part).argmax(1) for part in x.split(50)])
    return float((predicted.numpy() == labels).mean())


def some_of_public_test(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels drawn from PublicTest."""
    if not FER2013.is_file():
        sys.exit("Import the set first: ferscope data import fer2013.tar.xz")
    data = FaceSet.load(FER2013)
    test = np.flatnonzero(data.splits == "PublicTest")
    test = np.random.default_rng(SEED + 1).choice(test, count, replace=False)
    return data.images[test], data.labels[test]


def crops() -> None:
    """Print the accuracy on the set's own crops, given as image files, beside that on their pixels."""
    images, labels = some_of_public_test(CROPS)
    print(f"accuracy on {len(images)} images of PublicTest, %: {', '.join(NETWORKS)}")
    for title, cropped in (("pixels", None), ("as files", None), ("as files, cropped=False", False)):
        seen = list(images) if title == "pixels" else [found_in(gray, cropped) for gray in images]
        print(f"{title:<24}", ", ".join(f"{100 * accuracy(name, seen, labels):.1f}" for name in NETWORKS), flush=True)


def found_in(gray: np.ndarray, cropped: bool | None) -> np.ndarray:
    """What a network sees of an image file: the first face that is found, or the center, as in `ferscope explain`."""
    buffer = io.BytesIO()
    Image.fromarray(gray).save(buffer, "PNG")
    data = buffer.getvalue()
    found = faces.find(data, cropped=cropped) or faces.find(data, boxes=[faces.whole(faces.read(data))])
    return found[0].gray(48)


def rotated() -> None:
    """Print the accuracy on PublicTest by frame and rotation."""
    images, labels = some_of_public_test(TESTED)
    print(f"accuracy on {len(images)} images of PublicTest, %: {', '.join(NETWORKS)}")
    for angle in ANGLES:
        given = []
        for gray in images:
            large = cv2.resize(gray, (192, 192), interpolation=cv2.INTER_CUBIC)
            large = Image.fromarray(cv2.copyMakeBorder(large, *[96] * 4, cv2.BORDER_REPLICATE)).convert("RGB")
            given.append(large.rotate(angle, Image.Resampling.BICUBIC))
        own = faces.Box(96, 96, 192, 192)
        ways = {"own frame": lambda picture: []} | {a: partial(faces.detect, align=a) for a in ("none", "rotate")}
        for title, boxes in ways.items():
            seen = [faces.crop(picture, (boxes(picture) or [own])[0]).gray(48) for picture in given]
            values = ", ".join(f"{100 * accuracy(name, seen, labels):.1f}" for name in NETWORKS)
            print(f"{angle:+4d} degrees, {title:<10} {values}", flush=True)


def framing() -> None:
    """Print the framing of Training images relative to each detector."""
    source = os.environ.get("FERSCOPE_FER2013")
    if not source or not Path(source).exists():
        sys.exit("Set FERSCOPE_FER2013 to the FER2013 archive or its unpacked folder.")
    images = sorted(training_pictures(Path(source)))
    images = random.Random(SEED).sample(images, min(SAMPLE, len(images)))
    for title, measure, enlarge in (
        ("YuNet, framed", framing_of_yunet, 2),
        ("YuNet, framed", framing_of_yunet, 4),
        ("cascade, its square", framing_of_cascade, 4),
    ):
        measured = np.array([m for _, jpeg in images if (m := measure(jpeg, enlarge)) is not None])
        print(f"{title}, enlarged {enlarge} times: {len(measured)} of {len(images)} Training images (seed {SEED})")
        print("share of the frame's side        10 %     25 %   median     75 %     90 %")
        for row, column in zip(("center, x (right +)", "center, y (down +)", "side"), measured.T, strict=True):
            print(f"{row:<28}", *(f"{value:8.3f}" for value in np.percentile(column, [10, 25, 50, 75, 90])))


def main() -> None:
    options = tyro.cli(Options, description=__doc__)
    for part in (framing, rotated, crops):
        if part.__name__ in options.only:
            part()


if __name__ == "__main__":
    main()
