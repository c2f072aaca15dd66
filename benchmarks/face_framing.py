"""Measure how FER2013 frames a face, relative to the square that OpenCV's cascade finds.

    FERSCOPE_FER2013=fer2013.tar.xz python benchmarks/face_framing.py

FERSCOPE_FER2013 is the archive or the unpacked folder (train/<emotion>/Training_<id>.jpg). Training pictures are
enlarged four times and their borders replicated, so that the cascade has room round the face. The medians of the table
are the constants in workbench/faces/cascade.py; the quartiles show how loosely FER2013 is framed.
"""

from __future__ import annotations

import os
import random
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from workbench.faces import cascade_squares

SAMPLE, ENLARGE, SEED = 1500, 4, 0


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


def framing(jpeg: bytes) -> tuple[float, float, float] | None:
    """Centre x, centre y and side of the cascade's square as shares of the frame; None where it finds nothing."""
    gray = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    side = ENLARGE * gray.shape[0]
    large = cv2.equalizeHist(cv2.resize(gray, (side, side), interpolation=cv2.INTER_CUBIC))
    padded = cv2.copyMakeBorder(large, *[side // 2] * 4, cv2.BORDER_REPLICATE)
    squares = cascade_squares(padded, smallest=side // 3)
    if not squares:
        return None
    _, x, y, square = squares[0]
    return x / side - 0.5, y / side - 0.5, square / side


def main() -> None:
    source = os.environ.get("FERSCOPE_FER2013")
    if not source or not Path(source).exists():
        sys.exit("Set FERSCOPE_FER2013 to the FER2013 archive or its unpacked folder.")
    pictures = sorted(training_pictures(Path(source)))
    pictures = random.Random(SEED).sample(pictures, min(SAMPLE, len(pictures)))
    measured = np.array([m for _, jpeg in pictures if (m := framing(jpeg)) is not None])
    print(f"{len(measured)} of {len(pictures)} Training pictures have a face for the cascade (seed {SEED})\n")
    print("share of the frame's side        10 %     25 %   median     75 %     90 %")
    rows = ("square's centre, x (right +)", "square's centre, y (down +)", "square's side")
    for title, column in zip(rows, measured.T, strict=True):
        print(f"{title:<28}", *(f"{value:8.3f}" for value in np.percentile(column, [10, 25, 50, 75, 90])))


if __name__ == "__main__":
    main()
